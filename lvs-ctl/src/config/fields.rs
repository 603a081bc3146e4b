//! A mapping of the file as fields with known names: which are there, which are not, which should not be.

use super::{
    names::nearest,
    raw::{Node, Value},
    report::{Place, Problem, Report, on_lines, shown},
};

/// The fields of one mapping.
pub(super) struct Fields<'n> {
    place: Place,
    /// What the mapping describes, with its article.
    what: &'static str,
    given: Vec<Field<'n>>,
    /// Known names that an unknown field was probably meant to be.
    misspelt: Vec<&'static str>,
}

/// A field that is there.
#[derive(Clone, Copy)]
pub(super) struct Field<'n> {
    pub(super) name: &'static str,
    pub(super) key: Place,
    pub(super) node: &'n Node,
}

impl<'n> Fields<'n> {
    /// Reads a mapping that describes `what`; unknown fields and fields given twice are reported.
    /// `None` for what isn't a mapping, which is reported too.
    pub(super) fn read(
        node: &'n Node,
        what: &'static str,
        known: &'static [&'static str],
        report: &mut Report,
    ) -> Option<Self> {
        let Value::Mapping(entries) = &node.value else {
            let message = format!("{what} needs fields, this is {}", node.value.kind());
            report.error(
                node.place,
                Problem::new(message, format!("fields here: {}", known.join(", "))),
            );
            return None;
        };
        let mut fields = Self {
            place: node.place,
            what,
            given: Vec::new(),
            misspelt: Vec::new(),
        };
        for (key, node) in entries {
            fields.add(key, node, known, report);
        }
        Some(fields)
    }

    fn add(
        &mut self,
        key: &Node,
        node: &'n Node,
        known: &'static [&'static str],
        report: &mut Report,
    ) {
        let Value::Text(text) = &key.value else {
            let message = format!("the name of a field is text, this is {}", key.value.kind());
            let help = format!("fields here: {}", known.join(", "));
            report.error(key.place, Problem::new(message, help));
            return;
        };
        let Some(&name) = known.iter().find(|&name| name == text) else {
            let meant = nearest(text, known.iter().copied());
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("fields here: {}", known.join(", ")),
            };
            let message = format!("unknown field {} in {}", shown(text), self.what);
            report.error(key.place, Problem::new(message, help));
            self.misspelt.extend(meant);
            return;
        };
        if let Some(first) = self.get(name) {
            let message = format!(
                "`{name}` is given twice, {}",
                on_lines(first.key, key.place)
            );
            let help = format!("keep one: {} has each field once", self.what);
            report.error(key.place, Problem::new(message, help));
            return;
        }
        self.given.push(Field {
            name,
            key: key.place,
            node,
        });
    }

    /// The field, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<Field<'n>> {
        self.given.iter().find(|field| field.name == name).copied()
    }

    /// Whether an unknown field, which is reported, was probably meant to be this one.
    pub(super) fn is_misspelt(&self, name: &str) -> bool {
        self.misspelt.contains(&name)
    }

    /// The field, whose absence is reported with an example of it.
    pub(super) fn require(
        &self,
        name: &str,
        example: &str,
        report: &mut Report,
    ) -> Option<Field<'n>> {
        let found = self.get(name);
        if found.is_none() && !self.is_misspelt(name) {
            let message = format!("`{name}` is missing in {}", self.what);
            report.error(
                self.place,
                Problem::new(
                    message,
                    format!("add `{name}`, such as `{name}: {example}`"),
                ),
            );
        }
        found
    }

    /// The value of an optional field: the default where it is absent, `None` where it is wrong and reported.
    pub(super) fn optional<T>(
        &self,
        name: &str,
        default: T,
        convert: impl FnOnce(&str) -> Result<T, Problem>,
        report: &mut Report,
    ) -> Option<T> {
        match self.get(name) {
            Some(field) => field.convert(convert, report),
            None => Some(default),
        }
    }
}

impl<'n> Field<'n> {
    /// The value of the text of this field; `None` where it is wrong and reported.
    pub(super) fn convert<T>(
        self,
        convert: impl FnOnce(&str) -> Result<T, Problem>,
        report: &mut Report,
    ) -> Option<T> {
        match &self.node.value {
            Value::Text(text) => report.take(self.node.place, convert(text)),
            Value::Nothing => {
                let message = format!("`{}` has no value", self.name);
                report.error(
                    self.key,
                    Problem::new(message, "give it one, or delete the field"),
                );
                None
            }
            Value::List(_) | Value::Mapping(_) => {
                let message = format!(
                    "`{}` is one value, this is {}",
                    self.name,
                    self.node.value.kind()
                );
                let help = "write the value alone; one that holds brackets or braces needs quotes";
                report.error(self.node.place, Problem::new(message, help));
                None
            }
        }
    }

    /// The values of the texts in the list of this field, with their places; `None` where something is
    /// wrong and reported. `item` is what one is, with its article, `example` one of them.
    pub(super) fn each<T>(
        self,
        (item, example): (&str, &str),
        convert: impl Fn(&str) -> Result<T, Problem>,
        report: &mut Report,
    ) -> Option<Vec<(Place, T)>> {
        let items = self.list(report)?;
        let convert = |node: &Node, report: &mut Report| {
            let Value::Text(text) = &node.value else {
                let message = format!("{item} is text, this is {}", node.value.kind());
                let help = format!("write it alone, such as {example}");
                report.error(node.place, Problem::new(message, help));
                return None;
            };
            Some((node.place, report.take(node.place, convert(text))?))
        };
        // Every item is judged, whatever the others are like.
        let converted: Vec<_> = items.iter().map(|node| convert(node, report)).collect();
        converted.into_iter().collect()
    }

    /// The same of a field that may be one text instead of a list.
    pub(super) fn one_or_each<T>(
        self,
        item: (&str, &str),
        convert: impl Fn(&str) -> Result<T, Problem>,
        report: &mut Report,
    ) -> Option<Vec<(Place, T)>> {
        match &self.node.value {
            Value::Text(_) => Some(vec![(self.node.place, self.convert(convert, report)?)]),
            _ => self.each(item, convert, report),
        }
    }

    /// The items of this field, none where it is empty; `None` for what isn't a list, which is reported.
    pub(super) fn list(self, report: &mut Report) -> Option<&'n [Node]> {
        match &self.node.value {
            Value::List(items) => Some(items),
            Value::Nothing => Some(&[]),
            Value::Text(_) | Value::Mapping(_) => {
                let message = format!(
                    "`{}` is a list, this is {}",
                    self.name,
                    self.node.value.kind()
                );
                let help = "put each item on its own line after `- `, or all between [ and ]";
                report.error(self.node.place, Problem::new(message, help));
                None
            }
        }
    }
}
