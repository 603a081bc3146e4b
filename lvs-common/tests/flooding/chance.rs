//! What chance alone does, and what it does so seldom that something else is at work.

/// The probability that at least so many independent events happen where `mean` are expected
/// (Poisson's law).
fn poisson_tail(mean: f64, least: u32) -> f64 {
    let log_factorial: f64 = (1..=least).map(|i| f64::from(i).ln()).sum();
    let mut term = (f64::from(least) * mean.ln() - mean - log_factorial).exp();
    let mut sum = 0.0;
    let mut i = least;
    // Beyond twice the mean the terms at least halve.
    while term > sum * 1e-9 || f64::from(i) < 2.0 * mean {
        sum += term;
        i += 1;
        term *= mean / f64::from(i);
    }
    sum
}

/// The least number above `mean` that chance reaches with less than this probability.
pub(crate) fn poisson_limit(mean: f64, probability: f64) -> u32 {
    let above = (1..).skip_while(|limit| f64::from(*limit) <= mean);
    let mut seldom = above.skip_while(|limit| poisson_tail(mean, *limit) >= probability);
    seldom.next().unwrap_or(u32::MAX)
}

/// The value that the standard normal distribution exceeds with this probability, less than 1e-3.
fn normal_limit(probability: f64) -> f64 {
    let tail = |z: f64| {
        let density = (-z * z / 2.0).exp() / core::f64::consts::TAU.sqrt();
        // Laplace's continued fraction for the tail.
        density / (1..30).rev().fold(z, |rest, i| z + f64::from(i) / rest)
    };
    let (mut low, mut high) = (3.0, 38.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if tail(middle) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The value that chi-square with that many degrees of freedom exceeds with this probability (Wilson
/// and Hilferty, 1931).
pub(crate) fn chi_square_limit(freedom: f64, probability: f64) -> f64 {
    let variance = 2.0 / (9.0 * freedom);
    let root = 1.0 - variance + normal_limit(probability) * variance.sqrt();
    freedom * root.powi(3)
}

#[test]
fn limits_are_those_of_tables() {
    // P(X >= 4) = 1 - e^-1 (1 + 1 + 1/2 + 1/6) for a mean of 1.
    assert!((poisson_tail(1.0, 4) - 0.018_988).abs() < 1e-6);
    assert_eq!(poisson_limit(1.0, 0.02), 4);
    assert_eq!(poisson_limit(1.0, 0.018), 5);
    assert!((normal_limit(9.866e-10) - 6.0).abs() < 1e-3);
    // From a table of quantiles: 0.999 at 100 degrees of freedom.
    assert!((chi_square_limit(100.0, 0.001) - 149.45).abs() < 0.1);
}
