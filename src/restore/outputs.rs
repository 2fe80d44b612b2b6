//! Periodic outputs that may start at any time.

use super::Guard;
use crate::kernel::Call;
use crate::phc::{Error, Perout, PeroutLoss, PeroutStart, Phc, Reason};
use crate::{Offset, Timestamp};
use nix::errno::Errno;

/// The first full second of the clock that is more than two seconds ahead; `None` where the clock
/// can't show it.
pub(crate) fn soon(phc: &Phc) -> Result<Option<PeroutStart>, Error> {
    let second = phc.time()?.seconds().checked_add(3);
    Ok(second.and_then(|second| Timestamp::new(second, 0)).map(PeroutStart::At))
}

impl Guard<'_> {
    /// Switches an output on that may start at any time: first asks for the start that it has, then
    /// for others that drivers accept. Each request is complete, and a refused one changes nothing.
    /// Returns the output as it was taken, and what the driver left out.
    ///
    /// # Errors
    ///
    /// Of the first request, if no start was accepted.
    pub(crate) fn enable_perout_soon(
        &mut self,
        perout: Perout,
    ) -> Result<(Perout, PeroutLoss), Error> {
        let first = match self.enable_perout(perout) {
            Ok(loss) => return Ok((perout, loss)),
            Err(error) if is_about_the_start(&error) => error,
            Err(error) => return Err(error),
        };
        let zero = Timestamp::new(0, 0).map(PeroutStart::At);
        for start in [PeroutStart::Phase(Offset::ZERO)].into_iter().chain(zero) {
            let perout = Perout { start, ..perout };
            match self.enable_perout(perout) {
                Ok(loss) => return Ok((perout, loss)),
                Err(error) if is_about_the_start(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(first)
    }
}

/// Whether another start may work: a driver's error says no more than this.
pub(crate) fn is_about_the_start(error: &Error) -> bool {
    let is_request = matches!(error.call(), Some(Call::PeroutRequest | Call::PeroutRequest2));
    match error {
        Error::Unable { why, .. } => matches!(**why, Reason::PartOfOutput { .. }),
        _ => is_request && (error.is_unsupported() || error.errno() == Some(Errno::EINVAL)),
    }
}
