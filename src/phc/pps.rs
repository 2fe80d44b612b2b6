//! The kernel's pulse per second.

use super::{Error, Phc, Reason, Task};
use crate::kernel::{Call, Version};

impl Phc {
    /// Makes the clock give the kernel a pulse per second, or stop doing so. Wraps
    /// `PTP_ENABLE_PPS`.
    ///
    /// # Errors
    ///
    /// [`Error::Unable`] where the caps deny it; `EACCES` on a read-only handle, `EPERM` without
    /// `CAP_SYS_TIME`, `ENODEV` where the clock has gone.
    #[doc(alias = "PTP_ENABLE_PPS")]
    pub fn enable_pps(&self, enable: bool) -> Result<(), Error> {
        self.check_pps()?;
        let asked = if enable { Task::EnablePps } else { Task::DisablePps };
        self.call(&asked, Call::EnablePps, || self.calls.enable_pps(Version::V1, enable))
    }

    /// Refuses where the caps deny a pulse per second.
    ///
    /// # Errors
    ///
    /// [`Error::Unable`].
    pub fn check_pps(&self) -> Result<(), Error> {
        if self.caps()?.pps {
            return Ok(());
        }
        Err(self.unable(&Task::UsePps, Reason::NoPps))
    }
}
