//! Messages into interfaces.

use netlink_packet_route::link::InfoKind;

use super::*;

fn message(layer: LinkLayerType, flags: LinkFlags, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = 7;
    message.header.link_layer_type = layer;
    message.header.flags = flags;
    message.attributes = attributes;
    message
}

#[test]
fn vlan_interface_is_read_whole() {
    let link = Link::from(&message(
        LinkLayerType::Ether,
        LinkFlags::Up | LinkFlags::LowerUp,
        vec![
            LinkAttribute::IfName("lb0.10".to_owned()),
            LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]),
            LinkAttribute::Mtu(1496),
            LinkAttribute::Link(3),
            LinkAttribute::Controller(9),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Vlan),
                LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(10)])),
            ]),
        ],
    ));
    let expected = Link {
        index: 7,
        name: "lb0.10".to_owned(),
        mac: Some([2, 0, 0, 0, 0, 1]),
        mtu: 1496,
        up: true,
        carrier: true,
        xdp: None,
        kind: Some("vlan".to_owned()),
        vlan: Some(Vlan { parent: 3, id: 10 }),
        lower: Some(3),
        master: Some(9),
    };
    assert_eq!(link, expected);
}

#[test]
fn only_ethernet_has_a_mac() {
    let loopback = vec![LinkAttribute::Address(vec![0; 6])];
    assert_eq!(
        Link::from(&message(LinkLayerType::Loopback, LinkFlags::Up, loopback)).mac,
        None
    );
    let infiniband = vec![LinkAttribute::Address(vec![0; 20])];
    assert_eq!(
        Link::from(&message(LinkLayerType::Ether, LinkFlags::Up, infiniband)).mac,
        None
    );
}

#[test]
fn xdp_program_and_mode() {
    let table: [(&[LinkXdp], _); 6] = [
        (&[LinkXdp::Attached(XdpAttached::None)], None),
        (
            &[LinkXdp::Attached(XdpAttached::Driver), LinkXdp::ProgId(42)],
            Some((42, XdpMode::Native)),
        ),
        (
            &[
                LinkXdp::Attached(XdpAttached::SocketBuffer),
                LinkXdp::ProgId(43),
            ],
            Some((43, XdpMode::Generic)),
        ),
        (
            &[
                LinkXdp::Attached(XdpAttached::Hardware),
                LinkXdp::ProgId(44),
            ],
            Some((44, XdpMode::Offload)),
        ),
        (
            &[
                LinkXdp::Attached(XdpAttached::Multiple),
                LinkXdp::SkbProgId(2),
                LinkXdp::DrvProgId(1),
            ],
            Some((1, XdpMode::Multi)),
        ),
        (&[LinkXdp::Attached(XdpAttached::Driver)], None),
    ];
    for (attributes, expected) in table {
        let expected = expected.map(|(program_id, mode)| AttachedXdp { program_id, mode });
        assert_eq!(attached(attributes), expected, "{attributes:?}");
    }
}
