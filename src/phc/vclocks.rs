//! Virtual clocks on a physical one.

use super::{Error, Phc, Reason, Task};
#[cfg(feature = "cli")]
use super::{Method, SystemClock};
use crate::kernel::Call;
use nix::errno::Errno;

/// The virtual clocks of a physical clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualClocks {
    /// How many there are.
    pub number: u32,
    /// The most that there may be.
    pub most: u32,
}

impl Phc {
    /// The virtual clocks on this one. Reads `n_vclocks` and `max_vclocks` of sysfs.
    ///
    /// # Errors
    ///
    /// `ENOENT` where the kernel (before 5.14) or the clock (itself virtual) can't have any.
    #[doc(alias = "n_vclocks")]
    pub fn virtual_clocks(&self) -> Result<VirtualClocks, Error> {
        Ok(VirtualClocks { number: self.number("n_vclocks")?, most: self.number("max_vclocks")? })
    }

    /// Below how many virtual clocks this one runs freely: none where it has none, or a counter for
    /// them that can be read by itself.
    #[cfg(feature = "cli")]
    pub(crate) fn free_below(&self) -> u32 {
        let number = self.virtual_clocks().map_or(0, |clocks| clocks.number);
        let has_counter = || self.samples(Method::Extended, SystemClock::Realtime, true, 1).is_ok();
        if number == 0 || has_counter() { 0 } else { number }
    }

    /// The devices of the virtual clocks on this one, such as `ptp3`, as sysfs shows them.
    ///
    /// # Errors
    ///
    /// The errors of reading the clock's folder in sysfs.
    pub fn virtual_clock_names(&self) -> Result<Vec<String>, Error> {
        let call = || self.calls.virtual_clocks();
        self.call(&Task::ListVirtualClocks, Call::VirtualClocks, call)
    }

    /// Sets the number of virtual clocks; above 0 this clock turns free-running, unless it has a
    /// cycle counter. Writes `n_vclocks` of sysfs.
    ///
    /// # Errors
    ///
    /// [`Error::Unable`] beyond the most that there may be; `EACCES` without the right to write
    /// the attribute, `EINVAL` where the kernel refuses.
    #[doc(alias = "n_vclocks")]
    pub fn set_virtual_clocks(&self, number: u32) -> Result<(), Error> {
        self.check_virtual_clocks(number)?;
        let write = || self.calls.set_attribute("n_vclocks", &number.to_string());
        self.call(&Task::SetVirtualClocks(number), Call::SetAttribute, write)
    }

    /// Refuses more virtual clocks than there may be.
    ///
    /// # Errors
    ///
    /// The first error of [`Phc::set_virtual_clocks`].
    pub fn check_virtual_clocks(&self, number: u32) -> Result<(), Error> {
        let most = self.number("max_vclocks")?;
        if number <= most {
            return Ok(());
        }
        Err(self.unable(&Task::SetVirtualClocks(number), Reason::VirtualClocks { most }))
    }

    fn number(&self, attribute: &str) -> Result<u32, Error> {
        let (asked, call) = (&Task::ReadVirtualClocks, Call::Attribute);
        let text = match self.call(asked, call, || self.calls.attribute(attribute)) {
            Err(Error::Call { errno: Errno::ENOENT, .. }) => {
                return Err(self.unable(asked, Reason::NoVirtualClocks));
            }
            other => other?,
        };
        text.trim().parse().map_err(|_| self.failed(asked, call, Errno::EPROTO))
    }
}
