//! The benchmark's rig works: packets do what its cases say. Nothing is timed here.

use lvs_tests::bench::{Case, Plan, Program, run};

#[test]
fn a_quick_run_is_valid() {
    let plan = Plan {
        flows: vec![1, 2_000],
        quick: true,
    };
    let report = run(&plan, |_| {}).expect("a report");
    assert_eq!(report.complaints, Vec::<String>::new(), "{report}");
    for family in ["IPv4", "IPv6"] {
        let rows = || report.rows.iter().filter(|row| row.family == family);
        for program in Program::ALL {
            for case in Case::ALL {
                let with = |flows| {
                    let mut rows = rows();
                    rows.any(|row| {
                        (row.program, row.case, row.flows, row.valid)
                            == (program, case, flows, true)
                    })
                };
                assert!(with(2_000), "{family} {program:?} {case:?}: {report}");
            }
        }
    }
    let listed: Vec<_> = report
        .listings
        .iter()
        .map(|l| (l.family, l.flows))
        .collect();
    assert_eq!(listed, [("IPv4", 20_000), ("IPv6", 20_000)]);
    let facts: Vec<&str> = report
        .programs
        .iter()
        .map(|facts| facts.name.as_str())
        .collect();
    assert_eq!(facts, ["lvs", "lru"]);
    let survivors = report.survivors.iter();
    let ours: Vec<_> = survivors
        .filter(|left| left.program == Program::Lvs)
        .collect();
    assert_eq!(ours.len(), 2);
    for left in ours {
        assert_eq!(left.left, u64::from(left.flows), "{left:?}");
    }
}
