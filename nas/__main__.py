"""`nas`, the same as `python -m nas`: heeds Ctrl-C before anything is loaded, which takes a second or more."""

from nas.interruption import end_interrupted, heed_no_more, heed_signals


def main() -> None:
    """Runs a command and ends the process."""
    try:
        heed_signals()
        from nas.cli import main as run

        run()
    except KeyboardInterrupt as error:
        end_interrupted(error)
    finally:
        heed_no_more()


if __name__ == "__main__":
    main()
