//! The clock's attributes in sysfs.

use super::MOST_VIRTUAL_CLOCKS;
use crate::kernel::Result;
use crate::kernel::uapi::pin_name;
#[cfg(feature = "cli")]
use crate::mock::Mock;
use crate::mock::World;
use crate::mock::fault::Fault;
use crate::mock::linux::Feature;
use nix::errno::Errno;

/// The attributes that a clock may have, besides those of its pins.
#[cfg(feature = "cli")]
const NAMES: [&str; 12] = [
    "clock_name",
    "max_adjustment",
    "max_phase_adjustment",
    "device/phc_error_bound",
    "device/uevent",
    "n_alarms",
    "n_external_timestamps",
    "n_periodic_outputs",
    "n_programmable_pins",
    "pps_available",
    "n_vclocks",
    "max_vclocks",
];

#[cfg(feature = "cli")]
impl Mock {
    /// The names of all attributes that the clock has in sysfs.
    pub(crate) fn attribute_names(&self) -> Vec<String> {
        let world = self.lock();
        let names = NAMES.iter().filter(|name| world.attribute(name).is_ok());
        let pins = world
            .pins
            .iter()
            .map(|pin| format!("pins/{}", String::from_utf8_lossy(&pin_name(pin))));
        names.map(|name| (*name).to_owned()).chain(pins).collect()
    }
}

impl World {
    pub(super) fn attribute(&self, name: &str) -> Result<String> {
        let profile = self.config.profile;
        let virtual_clocks = self.has(Feature::VirtualClocks) && !profile.is_virtual;
        Ok(match name {
            "clock_name" => profile.clock_name.to_owned(),
            "max_adjustment" => profile.max_adj(self.config.kernel).to_string(),
            "max_phase_adjustment" if self.has(Feature::MaxPhase) => {
                profile.max_phase.ok_or(Errno::ENOENT)?.to_string()
            }
            // Beside the card's other files, as the ENA driver has it.
            "device/phc_error_bound" => {
                self.config.claimed_error.ok_or(Errno::ENOENT)?.nanoseconds().to_string()
            }
            "device/uevent" if !self.config.driver.is_empty() => {
                format!("DRIVER={}", self.config.driver)
            }
            "n_alarms" => profile.n_alarm.to_string(),
            "n_external_timestamps" => profile.n_ext_ts.to_string(),
            "n_periodic_outputs" => profile.n_per_out.to_string(),
            "n_programmable_pins" => self.promised_pins().to_string(),
            "pps_available" => i32::from(profile.pps).to_string(),
            "n_vclocks" if virtual_clocks => self.virtual_clocks.to_string(),
            "max_vclocks" if virtual_clocks => MOST_VIRTUAL_CLOCKS.to_string(),
            _ => {
                let named = name.strip_prefix("pins/").ok_or(Errno::ENOENT)?;
                let pin = self.pins.iter().find(|pin| pin_name(pin) == named.as_bytes());
                let pin = pin.ok_or(Errno::ENOENT)?;
                if self.config.faults.has(Fault::PinSysfs) {
                    return Ok("0 0".into());
                }
                format!("{} {}", pin.func, pin.chan)
            }
        })
    }

    pub(super) fn set_attribute(&mut self, name: &str, value: &str) -> Result<()> {
        self.attribute(name)?;
        if name != "n_vclocks" {
            return Err(Errno::EACCES);
        }
        let number = value.trim().parse().map_err(|_| Errno::EINVAL)?;
        if number > MOST_VIRTUAL_CLOCKS {
            return Err(Errno::EINVAL);
        }
        self.virtual_clocks = number;
        Ok(())
    }
}
