//! What is not for a service passes the balancer as if nothing were attached.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use lvs_tests::lab::{Director, Farm, Host, Segment, VIP4, VIP6, config, http, ping};

/// A balancer that balances the VIPs' port 80, and nothing else.
fn attached(segment: &Segment) -> Director {
    let mut services = vec![Farm::web(&segment.backends, VIP4.into(), &[1])];
    // The names of the services have to differ.
    services.push(
        config::Service::new("web6", "tcp", SocketAddr::new(VIP6.into(), 80))
            .backend(segment.backends[0].ipv6, 1),
    );
    let director = Director::start(
        &segment.balancer.namespace,
        &config::yaml(&["lb0"], &services),
    )
    .expect("a director");
    assert!(
        segment.balancer.has_xdp("lb0").expect("lb0"),
        "nothing is attached"
    );
    director
}

fn balancers_addresses(segment: &Segment) -> [IpAddr; 4] {
    [
        segment.balancer.ipv4.into(),
        segment.balancer.ipv6.into(),
        VIP4.into(),
        VIP6.into(),
    ]
}

/// Both sides forget who has which MAC address, and have to ask again.
fn forget_neighbours(host: &Host) {
    host.ip("neigh flush all").expect("a flush");
}

#[test]
fn pings_arp_and_neighbour_discovery_pass() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    let _director = attached(&segment);
    for address in balancers_addresses(&segment) {
        for payload in [0, 56, 1400] {
            forget_neighbours(&segment.client);
            ping::ping(&segment.client.namespace, address, payload).expect("an answer");
        }
        let neighbours = segment.client.ip("neigh show").expect("neighbours");
        let entry = neighbours
            .lines()
            .find(|line| line.starts_with(&format!("{address} ")))
            .expect("an entry");
        assert!(entry.contains(&segment.balancer.mac.to_string()), "{entry}");
    }
}

#[test]
fn the_balancer_itself_reaches_others() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    let _director = attached(&segment);
    for host in [&segment.client, &segment.backends[0]] {
        for address in [IpAddr::V4(host.ipv4), IpAddr::V6(host.ipv6)] {
            ping::ping(&segment.balancer.namespace, address, 56).expect("an answer");
        }
    }
    let _farm = Farm::start(&segment.backends).expect("servers");
    let web = SocketAddr::new(segment.backends[0].ipv4.into(), Farm::HTTP);
    assert_eq!(
        http::get(&segment.balancer.namespace, web).expect("an answer"),
        segment.backends[0].name
    );
}

/// As a person on the balancer's shell would notice it: a banner, and a conversation of some length.
#[test]
fn a_shell_on_the_balancer_stays_usable() {
    const BANNER: &[u8] = b"SSH-2.0-lab\r\n";
    let segment = Segment::builder().backends(1).build().expect("a segment");
    // Opened before anything is attached, and still good afterwards.
    let addresses = balancers_addresses(&segment).map(|ip| SocketAddr::new(ip, 22));
    let listeners = segment
        .balancer
        .namespace
        .run(|| {
            addresses
                .iter()
                .map(|address| Ok(TcpListener::bind(address)?))
                .collect::<anyhow::Result<Vec<_>>>()
        })
        .expect("listeners");
    for listener in listeners {
        // Ends with the test's process; its peer reads with a deadline.
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.expect("a connection");
                connection.write_all(BANNER).expect("sends");
                thread::spawn(move || {
                    let mut reader = connection.try_clone().expect("a clone");
                    std::io::copy(&mut reader, &mut connection)
                });
            }
        });
    }
    let connect = |address: &SocketAddr| {
        let client = &segment.client.namespace;
        let mut stream = client
            .run(|| Ok(TcpStream::connect_timeout(address, Duration::from_secs(5))?))
            .expect("connects");
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("a deadline");
        let mut banner = [0; BANNER.len()];
        stream.read_exact(&mut banner).expect("a banner");
        assert_eq!(banner, BANNER);
        stream
    };
    let converse = |stream: &mut TcpStream| {
        for length in [1, 100, 1460, 5000] {
            let said = vec![b'x'; length];
            stream.write_all(&said).expect("sends");
            let mut heard = vec![0; length];
            stream.read_exact(&mut heard).expect("an echo");
            assert_eq!(heard, said);
        }
    };

    let mut before: Vec<TcpStream> = addresses.iter().map(connect).collect();
    let mut director = attached(&segment);
    before.iter_mut().for_each(converse);
    let mut during: Vec<TcpStream> = addresses.iter().map(connect).collect();
    during.iter_mut().for_each(converse);
    director.stop().expect("stops");
    before.iter_mut().chain(&mut during).for_each(converse);
}

#[test]
fn a_port_of_the_vip_without_a_service_is_the_balancers_own() {
    let segment = Segment::builder().backends(1).build().expect("a segment");
    let director = attached(&segment);
    for vip in [VIP4.into(), VIP6.into()] {
        let address = SocketAddr::new(vip, 81);
        let refused = segment
            .client
            .namespace
            .run(|| Ok(TcpStream::connect_timeout(&address, Duration::from_secs(5))));
        let error = refused.expect("runs").expect_err("nobody listens");
        assert_eq!(
            error.kind(),
            std::io::ErrorKind::ConnectionRefused,
            "the balancer's own RST: {error}"
        );
    }
    let stats = director.stats().expect("statistics");
    assert!(
        stats.services.iter().all(|service| service.packets == 0),
        "{stats:?}"
    );
}
