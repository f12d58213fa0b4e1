fn main() -> ! {
    strongroom::cli::main().exit_process()
}
