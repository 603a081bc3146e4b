//! A file of any size that needs no room: bytes that look random and are the same every time.

use std::io::{self, Read};

use anyhow::{Context as _, Result, ensure};

/// A stream of pseudo-random bytes (splitmix64 from a fixed seed).
#[derive(Debug)]
pub struct Blob {
    state: u64,
    left: u64,
    word: [u8; 8],
    used: usize,
}

impl Blob {
    /// The first `bytes` bytes of the stream.
    pub fn new(bytes: u64) -> Self {
        Self {
            state: 29,
            left: bytes,
            word: [0; 8],
            used: 8,
        }
    }

    fn next_word(&mut self) -> [u8; 8] {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    }
}

impl Read for Blob {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = out
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let mut out = &mut out[..count];
        while !out.is_empty() {
            if self.used == 8 {
                self.word = self.next_word();
                self.used = 0;
            }
            let fresh = &self.word[self.used..];
            let take = fresh.len().min(out.len());
            out[..take].copy_from_slice(&fresh[..take]);
            self.used += take;
            out = &mut out[take..];
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// Reads `received` to its end and compares it byte by byte with the blob of this size.
pub fn verify(mut received: impl Read, bytes: u64) -> Result<()> {
    let mut expected = Blob::new(bytes);
    let (mut got, mut want) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut offset = 0;
    loop {
        let read = received
            .read(&mut got)
            .with_context(|| format!("the stream broke off after {offset} of {bytes} bytes"))?;
        if read == 0 {
            break;
        }
        ensure!(
            offset + read as u64 <= bytes,
            "the stream is longer than {bytes} bytes"
        );
        expected.read_exact(&mut want[..read])?;
        if let Some(at) = (0..read).find(|&at| got[at] != want[at]) {
            anyhow::bail!("the stream differs at byte {}", offset + at as u64);
        }
        offset += read as u64;
    }
    ensure!(
        offset == bytes,
        "the stream ended after {offset} of {bytes} bytes"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_whatever_the_size_of_the_reads() {
        let mut whole = Vec::new();
        Blob::new(1000).read_to_end(&mut whole).expect("reads");
        let mut blob = Blob::new(1000);
        let mut pieces = Vec::new();
        for size in (1..).take(60) {
            let mut piece = vec![0; size];
            let read = blob.read(&mut piece).expect("reads");
            pieces.extend_from_slice(&piece[..read]);
        }
        assert_eq!(whole, pieces);
    }

    #[test]
    fn any_difference_is_found() {
        let mut good = Vec::new();
        Blob::new(100_000).read_to_end(&mut good).expect("reads");
        assert!(verify(&good[..], 100_000).is_ok());
        assert!(verify(&good[..99_999], 100_000).is_err());
        assert!(verify(&good[..], 99_999).is_err());
        good[77_777] ^= 1;
        assert!(verify(&good[..], 100_000).is_err());
    }
}
