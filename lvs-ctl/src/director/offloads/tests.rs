//! What is said of interfaces.

use super::*;

const FORWARDS: Purpose = Purpose::Forwards { tags: false };
const TAGGED: Purpose = Purpose::Forwards { tags: true };

fn nic(own: Offloads) -> Surroundings {
    Surroundings {
        name: "eth0".to_owned(),
        own,
        ..Surroundings::default()
    }
}

fn veth(offloads: Offloads, xdp: bool) -> Surroundings {
    Surroundings {
        name: "lb0".to_owned(),
        end: Some(End::Here {
            name: "p1".to_owned(),
            offloads,
            xdp,
        }),
        ..Surroundings::default()
    }
}

/// The levels and the last words, which are what to type.
fn said(remarks: &[Remark]) -> Vec<(Level, &str)> {
    remarks
        .iter()
        .map(|remark| {
            let command = remark.words.split("type: ").nth(1);
            (remark.level, command.unwrap_or_default())
        })
        .collect()
}

#[test]
fn an_interface_without_offloads_is_not_worth_a_word() {
    let quiet = nic(Offloads::default());
    for mode in [AttachMode::Native, AttachMode::Generic] {
        assert_eq!(quiet.remarks(mode, FORWARDS), []);
    }
    let covered = veth(Offloads::default(), true);
    assert_eq!(covered.remarks(AttachMode::Native, FORWARDS), []);
}

#[test]
fn merging_hardware_is_refused_but_in_generic_mode() {
    let merging = nic(Offloads {
        lro: true,
        ..Offloads::default()
    });
    for mode in [XdpMode::Auto, XdpMode::Native] {
        let error = merging.check(mode).unwrap_err().to_string();
        assert!(error.ends_with("type: ethtool -K eth0 lro off"), "{error}");
    }
    merging.check(XdpMode::Generic).unwrap();
    let remarks = merging.remarks(AttachMode::Generic, FORWARDS);
    assert_eq!(said(&remarks), [(Level::Info, "")]);
}

#[test]
fn tags_matter_where_there_are_tags() {
    let strips = Offloads {
        rxvlan: true,
        ..Offloads::default()
    };
    let with_vlan = Surroundings {
        vlan: Some("eth0.7".to_owned()),
        ..nic(strips)
    };
    let loud = (Level::Warn, "ethtool -K eth0 rxvlan off");
    for (around, purpose, expected) in [
        (nic(strips), FORWARDS, (Level::Debug, "")),
        (nic(strips), TAGGED, loud),
        (with_vlan, FORWARDS, loud),
    ] {
        let remarks = around.remarks(AttachMode::Native, purpose);
        assert_eq!(said(&remarks), [expected]);
    }
    assert_eq!(
        nic(Offloads::default()).remarks(AttachMode::Native, TAGGED),
        []
    );
}

#[test]
fn of_a_veth_the_other_end_counts() {
    let all = Offloads {
        tx: true,
        txvlan: true,
        ..Offloads::default()
    };
    let checksums = (Level::Warn, "ethtool -K p1 tx off");
    let tags = (Level::Warn, "ethtool -K p1 txvlan off");
    let remarks = veth(all, true).remarks(AttachMode::Generic, FORWARDS);
    assert_eq!(said(&remarks), [checksums]);
    let remarks = veth(all, true).remarks(AttachMode::Native, TAGGED);
    assert_eq!(said(&remarks), [checksums, tags]);
}

#[test]
fn a_veth_whose_other_end_has_no_program_loses_what_is_sent_in_native_mode() {
    let bare = veth(Offloads::default(), false);
    let remarks = bare.remarks(AttachMode::Native, FORWARDS);
    assert_eq!(said(&remarks), [(Level::Warn, "ethtool -K p1 gro on")]);
    let gro = Offloads {
        gro: true,
        ..Offloads::default()
    };
    let remarks = veth(gro, false).remarks(AttachMode::Native, FORWARDS);
    assert_eq!(said(&remarks), [(Level::Warn, "")]);
    assert!(remarks[0].words.contains("sent back by it"));
    assert_eq!(bare.remarks(AttachMode::Generic, FORWARDS), []);
    assert_eq!(bare.remarks(AttachMode::Native, Purpose::TakesOut), []);
}

#[test]
fn an_unseen_end_is_told_of_without_alarm() {
    let far = Surroundings {
        end: Some(End::Elsewhere),
        ..nic(Offloads::default())
    };
    let words = |mode, purpose| {
        let remarks = far.remarks(mode, purpose);
        assert!(remarks.iter().all(|remark| remark.level == Level::Info));
        let all: Vec<_> = remarks.into_iter().map(|remark| remark.words).collect();
        all
    };
    let native = words(AttachMode::Native, FORWARDS);
    assert!(native[0].ends_with("type there: ethtool -K OTHER-END tx off"));
    assert!(native[1].contains("lvs-ctl decap -i OTHER-END"));
    assert!(native[1].ends_with("or ethtool -K OTHER-END gro on"));
    let generic = words(AttachMode::Generic, TAGGED);
    assert_eq!(generic.len(), 1);
    assert!(generic[0].ends_with("tx off txvlan off"));
    assert!(words(AttachMode::Native, Purpose::TakesOut).is_empty());
}

#[test]
fn packets_merged_below_are_told_of_in_generic_mode() {
    let bridge = Surroundings {
        merging: vec!["p0".to_owned(), "p2".to_owned()],
        ..nic(Offloads::default())
    };
    let remarks = bridge.remarks(AttachMode::Generic, FORWARDS);
    assert_eq!(
        said(&remarks),
        [(Level::Warn, "ethtool -K p0 gro off; ethtool -K p2 gro off")]
    );
    assert_eq!(bridge.remarks(AttachMode::Native, FORWARDS), []);
}
