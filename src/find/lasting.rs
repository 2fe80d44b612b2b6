//! The name of a clock that stays when the machine boots again, or its card comes back: `/dev/ptpN` is
//! given in the order in which drivers find their cards.

use super::Listed;

/// What the hardware says of a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastingName {
    /// Of its card.
    pub(crate) bus_address: Option<String>,
    /// What the clock calls itself.
    pub(crate) clock_name: Option<String>,
}

impl LastingName {
    /// The bus address of the clock's card, with the clock's own name where the card has several
    /// clocks; without a card its own name. Others may have that name, too: see
    /// [`fits`](Self::fits). `None` where the clock has neither.
    pub(crate) fn of(clock: &Listed, all: &[Listed]) -> Option<Self> {
        let clock_name = clock.clock_name.clone().filter(|name| !name.is_empty());
        let Some(bus_address) = clock.bus_address.clone() else {
            return clock_name.map(|name| Self { bus_address: None, clock_name: Some(name) });
        };
        let short = Self { bus_address: Some(bus_address), clock_name: None };
        let on_card = all.iter().filter(|other| short.fits(other)).count();
        Some(if on_card > 1 { Self { clock_name, ..short } } else { short })
    }

    /// Whether a clock has this name. A virtual clock has none that stays.
    pub(crate) fn fits(&self, clock: &Listed) -> bool {
        let fits = |wanted: &Option<String>, has| wanted.is_none() || wanted == has;
        !clock.is_virtual()
            && fits(&self.bus_address, &clock.bus_address)
            && fits(&self.clock_name, &clock.clock_name)
    }

    /// Its parts, joined.
    pub(crate) fn join(&self, between: &str) -> String {
        let parts = [&self.bus_address, &self.clock_name].into_iter().flatten();
        parts.map(String::as_str).collect::<Vec<_>>().join(between)
    }
}
