//! The walk of a packet, on the host: the very code of the XDP program with maps in memory.

#[cfg(test)]
mod across;
#[cfg(test)]
mod complaints;
#[cfg(test)]
mod direct;
#[cfg(test)]
mod eviction;
#[cfg(test)]
mod farm;
#[cfg(test)]
mod kernel;
#[cfg(test)]
mod local;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod model;
#[cfg(test)]
mod nat;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod overflow;
#[cfg(test)]
mod pairs;
#[cfg(test)]
mod patterned;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod raced;
#[cfg(test)]
mod races;
#[cfg(test)]
mod reasons;
#[cfg(test)]
mod scheduling;
#[cfg(test)]
mod states;
#[cfg(test)]
mod threads;
#[cfg(test)]
mod timeouts;
#[cfg(test)]
mod tunnel;
