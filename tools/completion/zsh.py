"""The completion of zsh."""

import shlex
from collections.abc import Iterator

from tools.completion.program import (
    ANYTHING,
    FILES,
    JOBS,
    MADE,
    Flag,
    Program,
    filled,
    patterns_of,
    quoted_patterns_of,
)

_ZSH = r"""
# Jobs of the configuration $1; nothing where it cannot be read.
_b1000_jobs() {
    [[ -f $1 && -r $1 ]] || return 1
    local -a jobs
    jobs=(${(f)"$(command sed -n '@SED@' <$1 2>/dev/null)"})
    # The first word is a command where it can be one.
    [[ -n $2 ]] || jobs=(${jobs/#%(#m)(@ALTERNATIVES@)/job:$MATCH})
    (( $#jobs )) && _wanted jobs expl job compadd -a jobs
}

_b1000() {
    setopt localoptions extendedglob noshwordsplit
    local file=@FILE@ command= ended= expected= word expl
    local -a options commands
    integer index
    commands=(
@COMMAND_LIST@
    )
    for ((index = 2; index < CURRENT; index++)); do
        word=${(Q)words[index]}
        if [[ -n $expected ]]; then
            [[ $expected == cfg ]] && file=$word
            expected=
        elif [[ -n $ended || $word != -?* ]]; then
            [[ -n $command ]] && continue
            command=-
            [[ -z $ended && @COMMANDS@ == *" $word "* ]] && command=$word
        elif [[ $word == -- ]]; then
            ended=yes
        elif [[ $word == --cfg=* ]]; then
            file=${word#--cfg=}
        elif [[ $word == --cfg || $word == -[^f-]#f ]]; then
            expected=cfg
        elif [[ $word == -[^f-]#f?* ]]; then
            file=${word#-[^f-]#f}
        else
            case $command:$word in
@VALUES@
            esac
        fi
    done
    [[ $file == '~/'* ]] && file=$HOME/${file#'~/'}

    case $command in
@OPTIONS@
    esac
    _arguments -s -S : $options '*: :->rest' && return 0
    case $state in
        jobs) _b1000_jobs $file - ;;
        rest)
            if [[ -z $command ]]; then
                [[ -n $ended ]] || _describe -t commands command commands
                _b1000_jobs $file "$ended"
            elif [[ @TAKERS@ == *" $command "* ]]; then
                _b1000_jobs $file $command
            fi
            ;;
    esac
}

_b1000 "$@"
"""


def zsh(found: Program) -> str:
    """The completion of zsh."""
    values, options = [], []
    for command in found.commands:
        patterns = "|".join(quoted_patterns_of(command))
        options.append(f"        {patterns}) options=(")
        for flag in command.flags:
            options += [f"            {spec}" for spec in _zsh_specs(flag)]
            if flag.value:
                cases = "|".join(
                    f"{pattern}:{name}" for pattern in patterns_of(command) for name in flag.names
                )
                values.append(f"                {cases}) expected={flag.value} ;;")
        options.append("        ) ;;")
    listed = [
        "        " + shlex.quote(f"{command.name}:{command.words}") for command in found.named
    ]
    more = {
        "VALUES": "\n".join(values),
        "OPTIONS": "\n".join(options),
        "COMMAND_LIST": "\n".join(listed),
        "ALTERNATIVES": "|".join(command.name for command in found.named),
    }
    head = f"#compdef b1000\n# Completion of b1000 for zsh.\n{MADE}\n"
    return head + filled(_ZSH, found, **more)


def _zsh_specs(flag: Flag) -> Iterator[str]:
    words = flag.words.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    action = {
        "": "",
        FILES: ":file:_files",
        JOBS: ":job:->jobs",
        ANYTHING: ":value: ",
    }[flag.value]
    if flag.choices:
        action = f":value:({' '.join(flag.choices)})"
    others = f"({' '.join(flag.names)})" if len(flag.names) > 1 else ""
    for name in flag.names:
        joint = ("=" if name.startswith("--") else "+") if flag.value else ""
        yield shlex.quote(f"{others}{name}{joint}[{words}]{action}")
