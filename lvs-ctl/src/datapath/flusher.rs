//! The flush program, run for who wants flows ended.

use std::mem::size_of;

use anyhow::{Context as _, Result, ensure};
use aya::{TestRun as _, TestRunOptions, programs::Xdp};
use lvs_common::map::{FLUSH_CHUNK, Flush, FlushTarget};
use zerocopy::{FromBytes as _, IntoBytes as _};

use super::flows::Flow;

/// Ends these flows; how many were still there.
pub(super) fn flush(program: &Xdp, flows: impl Iterator<Item = Flow>) -> Result<u64> {
    let mut ended = 0;
    let mut request = EMPTY;
    for flow in flows {
        let next = request.flows.get_mut(request.count as usize);
        if let Some(target) = next {
            *target = FlushTarget::new(flow.slot, flow.word);
            request.count += 1;
        }
        if request.count as usize == FLUSH_CHUNK {
            ended += run(program, &request)?;
            request = EMPTY;
        }
    }
    if request.count > 0 {
        ended += run(program, &request)?;
    }
    Ok(ended)
}

const EMPTY: Flush = Flush {
    count: 0,
    ended: 0,
    flows: [FlushTarget::NONE; FLUSH_CHUNK],
};

fn run(program: &Xdp, request: &Flush) -> Result<u64> {
    let mut answer = [0; size_of::<Flush>()];
    let result = program.test_run(TestRunOptions {
        data_in: Some(request.as_bytes()),
        data_out: Some(&mut answer),
        ..TestRunOptions::default()
    });
    let result = result.context("cannot run the flush program")?;
    ensure!(
        result.data_size_out as usize == answer.len(),
        "the flush program answered {} bytes instead of {}",
        result.data_size_out,
        answer.len()
    );
    let answer = Flush::read_from_bytes(&answer);
    Ok(answer.map_or(0, |answer| answer.ended.into()))
}
