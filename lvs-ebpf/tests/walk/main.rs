//! The walk of a packet, on the host: the very code of the XDP program with maps in memory.

#[cfg(test)]
mod farm;

#[cfg(test)]
mod direct;
