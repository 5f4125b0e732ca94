// What a word can be is asked of the program itself: `kubectl __complete get po`. It answers with one candidate a line, a
// description behind a tab, and in the last line `:` with a number of flags: 2 no blank behind it, 4 no names of files, 8 files whose names
// end so.

const bash = String.raw`# bash completion for kubectl

__kubectl_words() {
    local line=${"$"}{COMP_LINE:0:COMP_POINT} i gap word
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        gap=${"$"}{line%%[^[:blank:]]*}
        line=${"$"}{line#"$gap"}
        word=${"$"}{COMP_WORDS[i]}
        ((i == COMP_CWORD)) && word=$line
        line=${"$"}{line#"$word"}
        if ((i > 0)) && [[ -z $gap ]]; then
            words[${"$"}{#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
    done
}

__start_kubectl() {
    local -a words found=()
    local program cur output line directive=0 cut=
    __kubectl_words
    program=${"$"}{words[0]}
    type -P -- "$program" > /dev/null || program=kubectl
    cur=${"$"}{words[${"$"}{#words[@]}-1]}
    output=$("$program" __complete "${"$"}{words[@]:1}" 2> /dev/null) || return
    [[ $cur == -*=* ]] && cur=${"$"}{cur#*=}
    while IFS= read -r line; do
        if [[ $line == :* ]]; then
            directive=${"$"}{line#:}
        else
            found+=("$line")
        fi
    done <<< "$output"
    COMPREPLY=()
    if ((directive & 8)); then
        while IFS= read -r line; do
            [[ -d $line || " ${"$"}{found[*]} " == *" ${"$"}{line##*.} "* ]] && COMPREPLY+=("$line")
        done < <(compgen -f -- "$cur")
        compopt -o filenames
        return
    fi
    ((directive & 2)) && compopt -o nospace
    ((directive & 4)) && compopt +o default
    [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]] && cut=${"$"}{cur%"${"$"}{cur##*:}"}
    for line in "${"$"}{found[@]}"; do
        [[ $line == "$cur"* ]] || continue
        if ((${"$"}{#found[@]} > 1)) && [[ $COMP_TYPE == 63 && $line == *$'\t'* ]]; then
            line="${"$"}{line%%$'\t'*}  (${"$"}{line#*$'\t'})"
        else
            line=${"$"}{line%%$'\t'*}
        fi
        COMPREPLY+=("${"$"}{line#"$cut"}")
    done
}

complete -o default -F __start_kubectl kubectl
`;

const zsh = String.raw`#compdef kubectl
compdef _kubectl kubectl

_kubectl() {
    local -a lines found nospace
    local line name about directive
    lines=("${"$"}{(@f)$("${"$"}{words[1]}" __complete "${"$"}{(@)words[2,CURRENT]}" 2> /dev/null)}")
    directive=${"$"}{lines[-1]#:}
    for line in "${"$"}{(@)lines[1,-2]}"; do
        name=${"$"}{line%%$'\t'*}
        about=${"$"}{line#"$name"}
        found+=("${"$"}{name//:/\\:}${"$"}{about:+:${"$"}{about#$'\t'}}")
    done
    # Of a flag with its value only the value is completed.
    [[ ${"$"}{words[CURRENT]} == -*=* ]] && compset -P '*='
    if ((directive & 8)); then
        _files -g "*.(${"$"}{(j:|:)found})"
        return
    fi
    ((directive & 2)) && nospace=(-S '')
    _describe -V completions found "${"$"}{nospace[@]}" && return 0
    ((directive & 4)) || _files
}

[ "${"$"}{funcstack[1]}" = "_kubectl" ] && _kubectl
`;

const fish = String.raw`# fish completion for kubectl

function __kubectl_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l lines ($words[1] __complete $words[2..-1] "$last" 2> /dev/null)
    test (count $lines) -gt 0; or return
    if test "$lines[-1]" = ":8"
        __fish_complete_path "$last"
        return
    end
    set -l prefix (string match -r -- '^-[^=]*=' "$last")
    if test (count $lines) -gt 1
        for line in $lines[1..-2]
            echo "$prefix$line"
        end
    else if test "$lines[-1]" = ":0"
        __fish_complete_path "$last"
    end
end

complete -c kubectl -e
complete -c kubectl -f -a '(__kubectl_complete)'
`;

/** By shell. */
export const scripts: Readonly<Record<string, string>> = { bash, zsh, fish };
