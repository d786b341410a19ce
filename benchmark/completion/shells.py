"""The scripts that bash, zsh and fish source, and the answers to what these ask; of click but for what is said here."""

from contextlib import suppress

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

from benchmark.errors import BenchmarkError, unknown
from benchmark.program import COMPLETE, CONSOLE_SCRIPT, program


class _Bash(BashComplete):
    """Bash takes ``--table=3`` apart into three words: click drops the sign only where nothing follows it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        arguments, incomplete = super().get_completion_args()
        return [argument for argument in arguments if argument != "="], incomplete


class _OneWord(ShellComplete):
    """Zsh and fish take ``--table=3`` as it is: what click finds for the value lacks the option before it."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        option, sign, _ = incomplete.partition("=")
        before = option + sign if sign and option.startswith("--") else ""
        found = super().get_completions(args, incomplete)
        return [CompletionItem(f"{before}{one.value}", one.type, one.help) for one in found]


class _Zsh(_OneWord, ZshComplete):
    """Helps need no care: zsh takes kind, value and help for three lines."""


class _Fish(_OneWord, FishComplete):
    """Values and helps have commas, at which click's script would cut them."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')


class _BashOfPython(_Bash):
    """``python`` where ``-m benchmark`` follows; other files are completed as bash does without being told."""

    source_template = """\
%(complete_func)s_of_python() {
    COMPREPLY=()
    [[ ${COMP_WORDS[1]} == -m && ${COMP_WORDS[2]} == benchmark && $COMP_CWORD -gt 2 ]] || return 0
    local IFS=$'\\n' kind value
    while IFS=, read -r kind value; do
        case $kind in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(env COMP_WORDS="${COMP_WORDS[*]:2}" COMP_CWORD=$((COMP_CWORD - 2)) \\
        %(complete_var)s=bash_complete "$1" -m benchmark)
}
complete -o default -o nosort -F %(complete_func)s_of_python python python3
"""


class _ZshOfPython(_Zsh):
    """``python`` where ``-m benchmark`` follows; the rest is left to zsh's own function."""

    source_template = """\
%(complete_func)s_of_python() {
    if [[ $words[2] != -m || $words[3] != benchmark ]] || (( CURRENT < 4 )); then
        if (( $+functions[_python] )); then _python "$@"; else _default; fi
        return
    fi
    local -a plain described
    local kind value help
    for kind value help in "${(@f)$(env COMP_WORDS="${words[3,-1]}" COMP_CWORD=$((CURRENT - 3)) \\
        %(complete_var)s=zsh_complete $words[1] -m benchmark)}"; do
        case $kind in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain) [[ $help == _ ]] && plain+=("$value") || described+=("$value:$help") ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#plain )) && compadd -U -V unsorted -a plain
}
compdef %(complete_func)s_of_python python python3
"""


class _FishOfPython(_Fish):
    """``python`` where ``-m benchmark`` follows; fish adds it to what it completes otherwise."""

    source_template = """\
function %(complete_func)s_of_python
    set --local words (commandline -opc)
    set --local line (string replace --regex '^\\s*\\S+\\s+-m\\s+' '' -- (commandline -cp))
    set --local python $words[1] -m benchmark
    for answer in (env COMP_WORDS="$line" COMP_CWORD=(commandline -t) %(complete_var)s=fish_complete $python)
        set --local parts (string split --max 1 "," -- $answer)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo $parts[2]
        end
    end
end
function %(complete_func)s_asked
    set --local words (commandline -opc)
    test "$words[2] $words[3]" = "-m benchmark"
end
for python in python python3
    complete --no-files --command $python \\
        --condition %(complete_func)s_asked --arguments "(%(complete_func)s_of_python)"
end
"""


_OF_SCRIPT: dict[str, type[ShellComplete]] = {"bash": _Bash, "zsh": _Zsh, "fish": _Fish}
_OF_PYTHON: dict[str, type[ShellComplete]] = {"bash": _BashOfPython, "zsh": _ZshOfPython, "fish": _FishOfPython}


def complete(group: click.Group, instruction: str) -> None:
    """Print the script of a shell (``bash_source``), or what may stand where its cursor is (``bash_complete``).

    Raises:
        BenchmarkError: another instruction.
    """
    shells = _OF_SCRIPT if program() == CONSOLE_SCRIPT else _OF_PYTHON
    shell, _, step = instruction.partition("_")
    if shell not in shells or step not in {"source", "complete"}:
        raise unknown("instruction", instruction, [f"{name}_source" for name in shells], f"${COMPLETE}")
    made = shells[shell](group, {}, CONSOLE_SCRIPT, COMPLETE)
    if step == "source":
        click.echo(made.source(), nl=False)
        return
    with suppress(BenchmarkError, click.ClickException):  # what stands before the cursor is wrong: nothing completes it
        click.echo(made.complete())
