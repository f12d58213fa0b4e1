fn main() -> ! {
    strongroom::cli::main().leave()
}
