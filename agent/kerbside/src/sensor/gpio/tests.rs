//! Against gpio-sim, a chip that the kernel simulates: where the kernel has it and the test may make one.

use gpiosim::Simpleton;

use super::super::intake::testing::intake;
use super::*;

/// Why no chip can be simulated here; `None`: it can.
fn lacks_simulator() -> Option<&'static str> {
    let has_module = std::path::Path::new("/sys/kernel/config/gpio-sim").is_dir()
        || std::path::Path::new("/sys/module/gpio_sim").is_dir();
    match (has_module, rustix::process::geteuid().is_root()) {
        (false, _) => Some("this kernel has no gpio-sim (CONFIG_GPIO_SIM)"),
        (true, false) => Some("only root may simulate a chip"),
        (true, true) => None,
    }
}

fn sensor(kind: SensorKind, line: GpioLine) -> Sensor {
    Sensor { source: SensorSource::Gpio(line), ..Sensor::on_topic("s", kind, "1", "") }
}

#[tokio::test]
async fn levels_and_presses_of_a_simulated_chip() {
    if let Some(why) = lacks_simulator() {
        kerbside_testkit::program::skipped("sensor::gpio::levels_and_presses_of_a_simulated_chip", why)
            .unwrap();
        return;
    }
    let chip = Simpleton::new(8);
    let line = |line| GpioLine {
        chip: chip.dev_path().clone(),
        line,
        active_low: false,
        bias: Bias::AsIs,
        debounce_ms: 0,
    };
    let (intake, mut readings, mut presses) = intake();
    let sensors = [sensor(SensorKind::Door, line(2)), sensor(SensorKind::CallButton, line(3))];
    let running: Vec<_> =
        GpioInput::of(&sensors, &intake).into_iter().map(|input| tokio::spawn(input.run())).collect();
    // The level at the start of each.
    assert_eq!((readings.recv().await.unwrap().value, readings.recv().await.unwrap().value), (0.0, 0.0));
    chip.pullup(2).unwrap();
    assert_eq!(readings.recv().await.unwrap().value, 1.0);
    chip.pulldown(2).unwrap();
    assert_eq!(readings.recv().await.unwrap().value, 0.0);
    chip.pullup(3).unwrap();
    chip.pulldown(3).unwrap();
    chip.pullup(3).unwrap();
    for _ in 0..2 {
        presses.recv().await.unwrap().durable.send(()).unwrap();
    }
    drop((readings, presses));
    for input in running {
        input.await.unwrap();
    }
}

#[tokio::test]
async fn a_chip_that_is_not_there_is_an_error_with_its_reason() {
    let line = GpioLine {
        chip: "/dev/no-such-chip".into(),
        line: 1,
        active_low: true,
        bias: Bias::PullUp,
        debounce_ms: 30,
    };
    let (intake, _readings, _presses) = intake();
    let mut inputs = GpioInput::of(&[sensor(SensorKind::Pir, line)], &intake);
    let error = inputs.remove(0).run_once(&mut Backoff::default()).await.unwrap_err();
    assert!(!error.to_string().is_empty());
}
