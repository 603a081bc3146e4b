//! What can go wrong between this process and the kernel's network configuration.

use std::{fmt, io};

/// A question to the kernel that has no good answer.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The netlink socket could not be opened or bound.
    #[error("cannot open a netlink socket")]
    Open(#[source] io::Error),

    /// The kernel refused a request, or answered what could not be understood.
    #[error("cannot {request}")]
    Refused {
        /// What was asked, as a verb phrase.
        request: String,
        /// The kernel's reason.
        #[source]
        source: io::Error,
    },

    /// No answer came, although netlink always answers: one was lost, or could not be decoded.
    #[error("cannot {request}: no answer from the kernel")]
    NoAnswer {
        /// What was asked, as a verb phrase.
        request: String,
    },

    /// The task that serves the socket ended.
    #[error("the netlink connection is closed")]
    Closed,

    /// No interface has this name in this network namespace.
    #[error("no such interface: {name}{}", Hint { similar: similar.as_deref(), existing })]
    NoSuchInterface {
        /// The name that was asked for.
        name: String,
        /// The existing name that is most like it, if one is.
        similar: Option<String>,
        /// All names that exist, sorted.
        existing: Vec<String>,
    },

    /// No interface has this index in this network namespace.
    #[error("no interface has index {0}")]
    NoSuchIndex(u32),
}

/// The end of the message about a missing interface.
struct Hint<'a> {
    similar: Option<&'a str>,
    existing: &'a [String],
}

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(similar) = self.similar {
            write!(f, " (did you mean {similar}?)")?;
        }
        if !self.existing.is_empty() {
            write!(f, "; there are: {}", self.existing.join(", "))?;
        }
        Ok(())
    }
}

/// The least Jaro-Winkler similarity (0 to 1) at which a name is worth proposing.
const SIMILAR: f64 = 0.8;

impl NetError {
    /// The error for a `name` that is not among the `existing` ones.
    pub(super) fn no_such_interface(name: &str, mut existing: Vec<String>) -> Self {
        existing.sort_unstable();
        let similar = existing
            .iter()
            .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
            .filter(|(similarity, _)| *similarity >= SIMILAR)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, candidate)| candidate.clone());
        Self::NoSuchInterface {
            name: name.to_owned(),
            similar,
            existing,
        }
    }

    /// The kernel's error number, if it gave one.
    pub(super) fn errno(&self) -> Option<i32> {
        match self {
            Self::Open(source) | Self::Refused { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn missing_interface_names_the_nearest_and_all() {
        let error = NetError::no_such_interface("eth1", names(&["lo", "eth0", "wlan0"]));
        assert_eq!(
            error.to_string(),
            "no such interface: eth1 (did you mean eth0?); there are: eth0, lo, wlan0"
        );
    }

    #[test]
    fn missing_interface_proposes_nothing_far_fetched() {
        let error = NetError::no_such_interface("bond7", names(&["lo"]));
        assert_eq!(error.to_string(), "no such interface: bond7; there are: lo");
        assert_eq!(
            NetError::no_such_interface("x", vec![]).to_string(),
            "no such interface: x"
        );
    }
}
