//! Sets of processors, as the kernel writes them in its files.

use std::collections::BTreeSet;
use std::fmt;

/// The most processors that a Linux kernel can have.
const MOST: u32 = 8_192;

/// Some of a machine's processors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Processors(BTreeSet<u32>);

impl Processors {
    /// A list, `0-3,8`; none where it isn't one.
    pub(super) fn of_list(text: &str) -> Option<Self> {
        let mut all = BTreeSet::new();
        for part in text.trim().split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
            // No machine has more: it is no list of processors.
            (last < MOST).then_some(())?;
            all.extend(first..=last);
        }
        Some(Self(all))
    }

    /// A mask in hexadecimal digits, `ff,00000000`; none where it isn't one.
    pub(super) fn of_mask(text: &str) -> Option<Self> {
        let mut all = BTreeSet::new();
        let digits = text.trim().chars().rev().filter(|c| *c != ',');
        for (place, digit) in (0..).zip(digits).take_while(|(place, _)| *place < MOST / 4) {
            let digit = digit.to_digit(16)?;
            all.extend((0..4).filter(|bit| digit >> bit & 1 == 1).map(|bit| place * 4 + bit));
        }
        Some(Self(all))
    }

    pub(super) fn one(processor: u32) -> Self {
        Self(BTreeSet::from([processor]))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, others: &Self) {
        self.0.extend(&others.0);
    }

    /// Those that are in both.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }
}

/// As the kernel's lists.
impl fmt::Display for Processors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for processor in &self.0 {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == *processor => *last = *processor,
                _ => ranges.push((*processor, *processor)),
            }
        }
        let range = |(first, last): &(u32, u32)| {
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        f.write_str(&ranges.iter().map(range).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_masks_are_read_as_the_kernel_writes_them() {
        let list = |text| Processors::of_list(text).map(|all| all.to_string());
        let mask = |text| Processors::of_mask(text).map(|all| all.to_string());
        assert_eq!(list("0-3,8\n").as_deref(), Some("0-3,8"));
        assert_eq!(list("\n").as_deref(), Some(""));
        assert_eq!(list("0-x"), None);
        assert_eq!(list("0-4294967295"), None, "no machine has so many");
        assert_eq!(mask("0000000f\n").as_deref(), Some("0-3"));
        assert_eq!(mask("1,00000100").as_deref(), Some("8,32"));
        assert_eq!(mask("0").as_deref(), Some(""));
        assert_eq!(mask("fg"), None);
    }

    #[test]
    fn what_two_sets_share_is_a_set() {
        let [one, other] = ["0-7", "4,6,12"].map(|text| Processors::of_list(text).expect("a list"));
        assert_eq!(one.and(&other).to_string(), "4,6");
        assert!(one.and(&Processors::one(9)).is_empty());
    }
}
