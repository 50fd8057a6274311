"""What was appended is on disk, whatever the database has been told to put off."""

from clusters import cluster

from dixa_state import open_tracker

LAZY = {"synchronous_commit": "off", "wal_writer_delay": "10s", "fsync": "off"}


def test_a_postgresql_that_puts_its_commits_off_still_keeps_what_was_appended(
    day_lines: list[bytes],
) -> None:
    with cluster(LAZY) as server:
        with open_tracker(server.url()) as tracker:
            told = [tracker.append(line).position for line in day_lines[:3]]
            server.kill()
        server.start()
        with open_tracker(server.url(), create=False) as tracker:
            assert tracker.event_recorder.max_notification_id() == told[-1]
