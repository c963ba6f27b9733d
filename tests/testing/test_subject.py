"""Which plugins are under test, and with which configuration."""

from __future__ import annotations

import pytest

from tests.testing.conftest import GREET, TEST_GREET, Author


def test_a_test_within_the_plugins_folder_needs_to_say_nothing(author: Author) -> None:
    author.write("plugins/greet/__init__.py", GREET)
    author.write("plugins/greet/tests/test_greet.py", TEST_GREET)

    author.run().assert_outcomes(passed=1)


def test_the_ini_file_can_name_the_plugins(author: Author) -> None:
    author.write("plugins/greet.py", GREET)
    author.write("tests/test_greet.py", TEST_GREET)
    author.write("pytest.ini", "[pytest]\ncommscaffoldd_plugins = plugins/greet.py\n")

    author.run().assert_outcomes(passed=1)


def test_a_marker_names_plugins_settings_and_configuration(author: Author) -> None:
    author.write(
        "plugins/greet.py",
        """\
        from commscaffoldd import handler, hookimpl

        class Greet:
            def __init__(self, word):
                self.word = word.encode()

            @handler(1001)
            def greet(self, request):
                return self.word + b", " + request.body

        @hookimpl
        def create_plugin(settings):
            return Greet(settings["word"])
        """,
    )
    author.write(
        "tests/test_greet.py",
        """\
        import pytest

        pytestmark = pytest.mark.commscaffoldd(
            plugins=["../plugins/greet.py"], config={"listen": [{"layout": "compact"}]}
        )

        @pytest.mark.commscaffoldd(settings={"word": "good day"})
        def test_one(server):
            assert server.client().call(1001, b"ann") == b"good day, ann"
            assert server.connections[0].layout == "compact"

        @pytest.mark.commscaffoldd(config={"plugin": {"greet": {"word": "moin"}}})
        def test_other(server):
            assert server.config.listen[0].layout == "compact"
            assert server.client().call(1001, b"ann") == b"moin, ann"
        """,
    )

    author.run().assert_outcomes(passed=2)


def test_the_projects_configuration_is_taken_over(author: Author) -> None:
    author.write("plugins/greet.py", GREET)
    author.write(
        "etc/c.toml",
        """\
        [daemon]
        workers = 3
        [[listen]]
        address = "0.0.0.0:9000"
        layout = "compact"
        [[listen]]
        address = "0.0.0.0:9001"
        layout = "mine"
        [layout.mine]
        fields = ["length:u8", "id:u16"]
        [plugins]
        path = ["nowhere"]
        [plugin.other]
        key = 1
        """,
    )
    author.write(
        "pytest.ini", "[pytest]\ncommscaffoldd_plugins = plugins/greet.py\ncommscaffoldd_config = etc/c.toml\n"
    )
    author.write(
        "tests/test_greet.py",
        """\
        def test_both(server):
            assert [server.client(one).call(1001, b"ann") for one in (0, 1)] == [b"hello, ann"] * 2
            assert [one.layout for one in server.connections] == ["compact", "mine"]
            assert all(one.startswith("127.0.0.1:") for one in server.addresses)
            assert "9000" not in server.address
        """,
    )

    author.run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("marker", "text"),
    [
        ('plugins=["gone"]', "*there is no plugin 'gone': neither */gone*"),
        ("plugin=1", "*the marker commscaffoldd does not take plugin=: write *"),
        ('plugins="greet"', "*plugins='greet': expected a list *"),
        ("plugins=[5]", "*plugins=[[]..., 5]: a plugin is named by its path, or its name*"),
        ('settings={"a": None}', "*what no configuration file can: *NoneType*there is no None: leave the key out*"),
        ("settings={1: 2}", "*what no configuration file can: *'1'*a key is a str*"),
        ("settings=1", "*settings=1: expected a dict*"),
        ('config={"business": {"thread": 1}}', "*business.thread*did you mean*threads*"),
        ('config={"plugin": {"great": {}}}', "*there is no plugin of this name: did you mean 'greet'*"),
        ('settings={"a": 1}, plugins=[]', "*settings= are those of one plugin, and there are 0*"),
    ],
)
def test_a_mistake_in_the_marker_is_one_line(author: Author, marker: str, text: str) -> None:
    author.write("plugins/greet/__init__.py", GREET)
    author.write(
        "plugins/greet/test_greet.py",
        f"""\
        import pytest

        @pytest.mark.commscaffoldd({marker})
        def test_greet(server):
            pass
        """,
    )

    result = author.run()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([text])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_plugin_that_cannot_be_loaded_is_told_as_check_tells_it(author: Author) -> None:
    author.write("plugins/greet/__init__.py", GREET + "\n    @handler(1001)\n    def other(request, second): ...\n")
    author.write("plugins/greet/test_greet.py", TEST_GREET)

    result = author.run()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*handler other of message ID 1001: parameter second has no annotation*"])


def test_a_test_that_lies_nowhere_is_told_what_to_write(author: Author) -> None:
    author.write("tests/test_greet.py", TEST_GREET)

    result = author.run()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["which plugin is under test?*commscaffoldd_plugins in the ini file"])


def test_the_tests_types_are_the_plugins_types(author: Author) -> None:
    author.write(
        "plugins/greet/__init__.py",
        """\
        from commscaffoldd import handler
        from .words import Word

        @handler(1001)
        def greet(request):
            return str(isinstance(request.connection.session.setdefault("w", Word), type)).encode()
        """,
    )
    author.write("plugins/greet/words.py", "class Word: ...\n")
    author.write("plugins/greet/tests/__init__.py", "")
    author.write(
        "plugins/greet/tests/test_greet.py",
        """\
        from ..words import Word

        def test_same(server):
            client = server.client()
            client.call(1001)
            assert server.connections[0].session["w"] is Word
        """,
    )

    author.run().assert_outcomes(passed=1)


def test_the_tests_of_one_plugin_need_no_ini_file(author: Author) -> None:
    author.write("plugins/greet/__init__.py", GREET)
    author.write("plugins/greet/tests/__init__.py", "")
    author.write("plugins/greet/tests/test_greet.py", TEST_GREET)
    (author.folder / "pytest.ini").unlink()

    author.run("plugins/greet").assert_outcomes(passed=1)
    author.run("plugins/greet/tests").assert_outcomes(passed=1)
