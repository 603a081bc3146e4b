//! `lvs-ctl decap`.

use std::{collections::BTreeSet, fmt::Display, io::Write, net::IpAddr, process::ExitCode};

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::{
    config::{Prefix, XdpMode, argument},
    director::decap::{self, Options, Outcome},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Interface that tunnels come by; may be given several times
    #[arg(
        short,
        long = "interface",
        required = true,
        value_name = "INTERFACE",
        value_parser = argument::interface
    )]
    interfaces: Vec<String>,
    /// Addresses of this machine that tunnels end at
    #[arg(
        short,
        long = "endpoint",
        required = true,
        num_args = 1..,
        value_name = "ADDR",
        value_parser = argument::tunnel_end
    )]
    endpoints: Vec<IpAddr>,
    /// Where tunnels may come from: the outer source addresses of the balancers
    #[arg(
        short,
        long,
        required = true,
        num_args = 1..,
        value_name = "ADDR|PREFIX",
        value_parser = argument::tunnels_from
    )]
    from: Vec<Prefix>,
    /// How the program is attached
    #[arg(long, value_enum, default_value_t)]
    xdp: Xdp,
}

/// As [`XdpMode`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Xdp {
    /// In the driver; where the driver refuses, generic with a warning
    #[default]
    Auto,
    /// In the driver, or not at all
    Native,
    /// In the kernel's network stack: any interface, at a fraction of the speed
    Generic,
}

pub(super) fn run(args: &Args, out: &mut impl Write) -> Result<ExitCode> {
    let outcome = decap::run(&options(args)?)?;
    writeln!(out, "{}", summary(&outcome))?;
    Ok(ExitCode::SUCCESS)
}

fn options(args: &Args) -> Result<Options> {
    each_once("--interface", &args.interfaces)?;
    each_once("--endpoint", &args.endpoints)?;
    each_once("--from", &args.from)?;
    for endpoint in &args.endpoints {
        let of_its_family = |from: &Prefix| from.address().is_ipv6() == endpoint.is_ipv6();
        ensure!(
            args.from.iter().any(of_its_family),
            "no tunnel may come to {endpoint}: --from has nothing of its family; add the addresses \
             that tunnels come from"
        );
    }
    Ok(Options {
        interfaces: args.interfaces.clone(),
        endpoints: args.endpoints.clone(),
        from: args.from.clone(),
        xdp: match args.xdp {
            Xdp::Auto => XdpMode::Auto,
            Xdp::Native => XdpMode::Native,
            Xdp::Generic => XdpMode::Generic,
        },
    })
}

fn each_once<T: Ord + Display>(option: &str, values: &[T]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for value in values {
        ensure!(
            seen.insert(value),
            "{option} {value} is given twice; give it once"
        );
    }
    Ok(())
}

/// `4 packets taken out of tunnels, 3 refused: tunnel-source 2, tunnel-congested 1`.
fn summary(outcome: &Outcome) -> String {
    let Outcome { taken_out, refused } = outcome;
    let plural = if *taken_out == 1 { "" } else { "s" };
    let all: u64 = refused.iter().map(|(_, packets)| packets).sum();
    let reasons: Vec<_> = refused
        .iter()
        .map(|(reason, packets)| format!("{} {packets}", reason.as_str()))
        .collect();
    let why = if reasons.is_empty() {
        String::new()
    } else {
        format!(": {}", reasons.join(", "))
    };
    format!("{taken_out} packet{plural} taken out of tunnels, {all} refused{why}")
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use lvs_common::Reason;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(line: &str) -> Result<Options, String> {
        let line = Line::try_parse_from(["decap"].into_iter().chain(line.split_whitespace()));
        let args = line.map_err(|error| error.to_string())?.args;
        options(&args).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_given_is_taken() {
        let options = parsed(
            "--interface eth0 --interface eth1 --endpoint 10.0.0.17 fd00::17 --from 172.16.0.0/16 \
             --from fd00::29 --xdp generic",
        )
        .unwrap();
        assert_eq!(options.interfaces, ["eth0", "eth1"]);
        let endpoints = ["10.0.0.17", "fd00::17"].map(|ip| ip.parse::<IpAddr>().unwrap());
        assert_eq!(options.endpoints, endpoints);
        let from: Vec<_> = options.from.iter().map(ToString::to_string).collect();
        assert_eq!(from, ["172.16.0.0/16", "fd00::29"]);
        assert_eq!(options.xdp, XdpMode::Generic);
        let short = parsed("-i eth0 -e 10.0.0.17 -f 10.0.0.29").unwrap();
        assert_eq!(short.xdp, XdpMode::Auto);
    }

    #[test]
    fn bad_input_is_told_what_would_be_right() {
        const GOOD: &str = "--interface eth0 --endpoint 10.0.0.17 --from 10.0.0.0/24";
        for (good, bad, words) in [
            ("10.0.0.0/24", "10.0.0.29/24", "write 10.0.0.0/24"),
            ("10.0.0.0/24", "10.0.0.0/33", "0 to 32"),
            (
                "10.0.0.0/24",
                "fd00::/64",
                "no tunnel may come to 10.0.0.17",
            ),
            ("10.0.0.17", "10.0.0.17:80", "leave the port out"),
            ("10.0.0.17", "web.example", "names are not looked up"),
            ("10.0.0.17", "127.0.0.1", "a loopback address"),
            ("10.0.0.17", "10.0.0.17 10.0.0.17", "is given twice"),
            ("eth0", "eth0/1", "holds a `/`"),
            ("eth0", "eth0 --interface eth0", "is given twice"),
            ("--from 10.0.0.0/24", "", "--from"),
            ("--endpoint 10.0.0.17", "", "--endpoint"),
            ("--interface eth0", "", "--interface"),
        ] {
            let line = GOOD.replacen(good, bad, 1);
            let said = parsed(&line).unwrap_err();
            assert!(said.contains(words), "{line}: {said}");
        }
        let mode = parsed(&format!("{GOOD} --xdp driver")).unwrap_err();
        assert!(mode.contains("auto, native, generic"), "{mode}");
    }

    #[test]
    fn the_end_in_a_line() {
        assert_eq!(
            summary(&Outcome::default()),
            "0 packets taken out of tunnels, 0 refused"
        );
        let outcome = Outcome {
            taken_out: 1,
            refused: vec![(Reason::TunnelSource, 2), (Reason::TunnelCongested, 1)],
        };
        assert_eq!(
            summary(&outcome),
            "1 packet taken out of tunnels, 3 refused: tunnel-source 2, tunnel-congested 1"
        );
    }
}
