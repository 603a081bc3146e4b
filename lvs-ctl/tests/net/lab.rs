//! Two network namespaces and the veth pair between them.

use std::{
    fs,
    process::Command,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::sched::{CloneFlags, unshare};

/// The MAC address of the balancer's end, `lb0`.
pub(crate) const OURS: [u8; 6] = [2, 0, 0, 0, 0, 0x29];
/// The MAC address of the other end, `host0`.
pub(crate) const THEIRS: [u8; 6] = [2, 0, 0, 0, 0, 0x17];

/// How long the kernel may take for anything: three questions to a silent neighbour are a second
/// each.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Runs `ip` in the calling thread's network namespace.
pub(crate) fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("iproute2 is needed");
    assert!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Gives the calling thread a network namespace of its own, in which IPv6 addresses are usable at
/// once.
fn enter_new_namespace() {
    unshare(CloneFlags::CLONE_NEWNET)
        .expect("these tests make network namespaces: run them as root");
    sysctl("ipv6/conf/all/accept_dad", "0");
    sysctl("ipv6/conf/default/accept_dad", "0");
    ip("link set lo up");
}

/// Sets a variable under `net` for the calling thread's network namespace.
pub(crate) fn sysctl(name: &str, value: &str) {
    fs::write(format!("/proc/sys/net/{name}"), value)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
}

/// The network namespace at the other end, and the thread that lives in it.
pub(crate) struct Peer {
    jobs: Option<mpsc::Sender<Box<dyn FnOnce() + Send>>>,
    thread: Option<thread::JoinHandle<()>>,
    /// Thread id, by which `ip` finds the namespace.
    tid: i32,
}

impl Peer {
    fn new() -> Self {
        let (jobs, queue) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            enter_new_namespace();
            tell.send(nix::unistd::gettid().as_raw()).unwrap();
            for job in queue {
                job();
            }
        });
        let tid = told.recv().expect("the other namespace could not be made");
        Self {
            jobs: Some(jobs),
            thread: Some(thread),
            tid,
        }
    }

    /// Does something at the other end.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        let (done, wait) = mpsc::channel();
        let job = Box::new(move || {
            job();
            done.send(()).unwrap();
        });
        self.jobs.as_ref().unwrap().send(job).unwrap();
        wait.recv().expect("a command failed at the other end");
    }

    /// Runs `ip` at the other end.
    pub(crate) fn ip(&self, arguments: &'static str) {
        self.run(move || {
            ip(arguments);
        });
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let outcome = self.thread.take().unwrap().join();
        assert!(thread::panicking() || outcome.is_ok());
    }
}

/// Waits until the kernel has brought up IPv6 on an interface of the calling thread's namespace,
/// which it does from a work queue some time after the carrier came. Before, it drops
/// solicitations.
fn await_ipv6(interface: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let addresses = ip(&format!("-6 address show dev {interface}"));
        let groups = ip(&format!("-6 maddress show dev {interface}"));
        // The link-local address is the last to come, and then into the group of addresses that end
        // alike, as the other one does.
        let ready = addresses.contains("fe80::") && !addresses.contains("tentative");
        if ready && groups.contains("users 2") {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "no IPv6 on {interface}: {addresses}{groups}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a test on the balancer's end: `lb0` with `10.0.0.29/24` and `fd00::29/64`, linked to the
/// peer's `host0` with `10.0.0.17` and `fd00::17`.
pub(crate) fn lab<F: Future<Output = ()>>(test: impl FnOnce(Peer) -> F + Send + 'static) {
    let outcome = thread::spawn(move || {
        enter_new_namespace();
        let peer = Peer::new();
        ip("link add lb0 address 02:00:00:00:00:29 type veth \
            peer name host0 address 02:00:00:00:00:17");
        ip(&format!("link set host0 netns {}", peer.tid));
        ip("address add 10.0.0.29/24 dev lb0");
        ip("address add fd00::29/64 dev lb0 nodad");
        peer.ip("address add 10.0.0.17/24 dev host0");
        peer.ip("address add fd00::17/64 dev host0 nodad");
        ip("link set lb0 up");
        peer.ip("link set host0 up");
        await_ipv6("lb0");
        peer.run(|| await_ipv6("host0"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(test(peer));
    })
    .join();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}
