//! A mock's name and its state file: whatever they hold, it opens and answers, or is refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ptpctl::kernel::uapi::ExttsEvent;
use ptpctl::kernel::{Calls, Version};
use ptpctl::mock::{Config, Mock};
use std::time::Duration;

fuzz_target!(|input: (&str, &str)| {
    let (settings, state) = input;
    // The fuzzer has no business with other files, and no time to wait.
    if ["state", "log", "replay"].iter().any(|key| settings.contains(key)) {
        return;
    }
    let _ = format!("mock:{settings}").parse::<Config>();
    let file = std::env::temp_dir().join(format!("ptpctl-fuzz-{}", std::process::id()));
    std::fs::write(&file, state).expect("written");
    let text = format!("mock:full,time=virtual,signal=1s,state={}", file.display());
    let config: Config = text.parse().expect("a mock");
    if let Ok(mock) = Mock::new(&config) {
        let _ = mock.clock_gettime();
        mock.pass(Duration::from_secs(3_600));
        let _ = mock.getcaps(Version::V2);
        let _ = mock.sys_offset_precise(Version::V1);
        let _ = mock.wait(&[], Duration::from_millis(1));
        let _ = mock.read(&mut [ExttsEvent::ZERO; 40]);
        let mut timex = ptpctl::kernel::uapi::timex();
        timex.modes = libc::ADJ_SETOFFSET | libc::ADJ_NANO;
        timex.time.tv_sec = 5;
        let _ = mock.clock_adjtime(&mut timex);
        let _ = mock.clock_gettime();
    } else {
        assert_eq!(std::fs::read(&file).expect("left alone"), state.as_bytes());
    }
});
