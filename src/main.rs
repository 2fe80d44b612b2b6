//! The command `ptpctl`.

fn main() -> std::process::ExitCode {
    ptpctl::cli::main()
}
