//! Tunnels from client to backend, taken out by `lvs-ctl decap`, with real connections.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::process::{Child, Stdio};

use lvs_tests::lab::{Director, Farm, Host, Segment, VIP4, VIP6, http, lvs_ctl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// `lvs-ctl decap` on a backend; it dies with the thread that starts it.
struct Decap {
    child: Child,
    /// What it said before it took packets out.
    said: String,
}

impl Decap {
    fn start(host: &Host, endpoint: IpAddr, from: &str) -> Self {
        let program = lvs_ctl().expect("lvs-ctl");
        let mut command = host.namespace.command_dying_by(&program, Signal::SIGTERM);
        command.args(["decap", "--interface", host.device, "--from", from]);
        command.arg("--endpoint").arg(endpoint.to_string());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("lvs-ctl decap");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        while !said.contains("taking packets out") {
            let read = stderr.read_line(&mut said).expect("a line");
            assert_ne!(read, 0, "it ended: {said}");
        }
        Self { child, said }
    }

    /// Ctrl-C; what it prints then.
    fn stop(mut self) -> String {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, Signal::SIGINT).expect("a signal");
        let mut printed = String::new();
        let mut stdout = self.child.stdout.take().expect("a pipe");
        stdout.read_to_string(&mut printed).expect("text");
        assert!(self.child.wait().expect("ends").success(), "{printed}");
        printed
    }
}

fn address(host: &Host, v6: bool) -> IpAddr {
    if v6 {
        host.ipv6.into()
    } else {
        host.ipv4.into()
    }
}

/// Clients of `vip` reach backends by tunnels of IPv4 or IPv6 from `source`.
fn reaches_all(vip: IpAddr, outer6: bool, source: &str) {
    let segment = Segment::builder().build().expect("a segment");
    let _farm = Farm::start(&segment).expect("servers");
    let from = match (source, outer6) {
        ("", false) => "10.0.0.2",
        ("", true) => "fd00::2",
        (source, _) => source,
    };
    let decaps: Vec<_> = segment
        .backends
        .iter()
        .map(|host| Decap::start(host, address(host, outer6), from))
        .collect();
    let backends: Vec<_> = segment
        .backends
        .iter()
        .map(|host| format!("{{address: '{}'}}", address(host, outer6)))
        .collect();
    let tunnel_source = if source.is_empty() {
        String::new()
    } else {
        format!("tunnel_source: '{source}', ")
    };
    let web = SocketAddr::new(vip, Farm::HTTP);
    let yaml = format!(
        "interfaces: [lb0]\nservices:\n- {{name: web, address: '{web}', mode: tun, scheduler: rr, \
         {tunnel_source}backends: [{}]}}\n",
        backends.join(", ")
    );
    let director = Director::start(&segment.balancer.namespace, &yaml).expect("a director");
    let tally = http::load(&segment.client.namespace, web, 300, |_| {
        ControlFlow::Continue(())
    })
    .expect("a load");
    assert_eq!(tally.failures, Vec::<String>::new(), "{}", director.said());
    for (decap, host) in decaps.into_iter().zip(&segment.backends) {
        assert_eq!(tally.of(&host.name), 100, "{}", host.name);
        assert!(!decap.said.contains("no address"), "{}", decap.said);
        let printed = decap.stop();
        assert!(
            printed.contains("taken out of tunnels, 0 refused"),
            "{printed}"
        );
        assert!(!printed.starts_with("0 "), "{printed}");
        assert!(!host.has_xdp(host.device).expect("the device"));
    }
}

#[test]
fn over_ipv4() {
    reaches_all(VIP4.into(), false, "");
    reaches_all(VIP4.into(), false, "172.16.0.0/16");
}

#[test]
fn over_ipv6() {
    reaches_all(VIP6.into(), true, "");
    reaches_all(VIP6.into(), true, "fd00:1::/96");
}

#[test]
fn across_families() {
    reaches_all(VIP6.into(), false, "");
    reaches_all(VIP4.into(), true, "");
}

#[test]
fn a_tunnel_from_elsewhere_is_refused_and_counted() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    let _farm = Farm::start(&segment).expect("servers");
    let backend = &segment.backends[0];
    let decap = Decap::start(backend, backend.ipv4.into(), "10.9.9.9");
    let web = SocketAddr::new(VIP4.into(), Farm::HTTP);
    let yaml = format!(
        "interfaces: [lb0]\nservices:\n- {{address: '{web}', mode: tun, backends: [{{address: \
         {}}}]}}\n",
        backend.ipv4
    );
    let _director = Director::start(&segment.balancer.namespace, &yaml).expect("a director");
    assert!(http::get(&segment.client.namespace, web).is_err());
    let printed = decap.stop();
    assert!(printed.starts_with("0 packets taken out"), "{printed}");
    assert!(printed.contains("refused: tunnel-source"), "{printed}");
}

#[test]
fn a_backend_is_told_what_it_lacks() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    let backend = &segment.backends[0];
    for line in ["address flush dev lo", "address add 127.0.0.1/8 dev lo"] {
        backend.ip(line).expect("lo");
    }
    backend
        .namespace
        .run(|| {
            let conf = "/proc/sys/net/ipv4/conf";
            std::fs::write(format!("{conf}/eth0/rp_filter"), "1")?;
            Ok(())
        })
        .expect("a setting");
    let decap = Decap::start(
        backend,
        "10.0.0.99".parse().expect("an address"),
        "10.0.0.2",
    );
    for words in [
        "10.0.0.99, which is no address of this machine",
        "ip address add VIP/32 dev lo",
        "sysctl -w net.ipv4.conf.eth0.rp_filter=2",
    ] {
        assert!(decap.said.contains(words), "no {words:?} in {}", decap.said);
    }
    decap.stop();
}
