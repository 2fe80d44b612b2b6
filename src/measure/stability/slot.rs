//! A place in a row of offsets.

/// An offset in nanoseconds, or none where nothing was measured: in eight bytes, as there can be many.
///
/// # Examples
///
/// ```
/// use ptpctl::measure::stability::Slot;
///
/// assert_eq!(Slot::of(-5).offset(), Some(-5));
/// assert_eq!(Slot::MISSING.offset(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(i64);

impl Slot {
    /// Nothing was measured.
    pub const MISSING: Self = Self(i64::MIN);

    /// An offset; `i64::MIN` counts as the next larger one.
    pub fn of(offset: i64) -> Self {
        Self(offset.max(-i64::MAX))
    }

    /// The offset, where there is one.
    pub const fn offset(self) -> Option<i64> {
        if self.0 == Self::MISSING.0 { None } else { Some(self.0) }
    }
}

/// Offsets from one place on, the first and the last of which were measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The place of its first offset.
    pub(super) place: u64,
    pub(super) slots: Vec<Slot>,
    /// How many of them have no offset.
    pub(super) missing: usize,
}

impl Stretch {
    pub(super) fn at(place: u64) -> Self {
        Self { place, slots: Vec::new(), missing: 0 }
    }

    /// Takes an offset, `places` places after the last one.
    pub(super) fn push(&mut self, places: usize, offset: i64) {
        let missing = places.saturating_sub(1);
        self.slots.extend(std::iter::repeat_n(Slot::MISSING, missing));
        self.missing += missing;
        self.slots.push(Slot::of(offset));
    }

    /// Its places, one after the other.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// What is at each place, counted from the start of all. The last place may be the last number.
    pub(super) fn places(&self) -> impl Iterator<Item = (u64, &Slot)> {
        (self.place..=u64::MAX).zip(&self.slots)
    }

    /// The offsets with their places, counted from the start of all.
    pub(super) fn measured(&self) -> impl Iterator<Item = (u64, i64)> {
        self.places().filter_map(|(place, slot)| slot.offset().map(|offset| (place, offset)))
    }

    /// The place after its last one.
    pub(super) fn end(&self) -> u64 {
        self.place.saturating_add(u64::try_from(self.slots.len()).unwrap_or(u64::MAX))
    }

    /// How many offsets it has.
    pub(super) fn number(&self) -> usize {
        self.slots.len() - self.missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_may_end_at_the_last_place() {
        let mut stretch = Stretch::at(u64::MAX - 1);
        stretch.push(1, 5);
        stretch.push(1, 6);
        let measured: Vec<_> = stretch.measured().collect();
        assert_eq!(measured, [(u64::MAX - 1, 5), (u64::MAX, 6)]);
    }
}
