/** Scripts that make a shell ask a program what could stand next: `NAME __complete WORD...`. */

const bash = (name: string): string => `# bash completion for ${name}
_${name}() {
  local IFS=$'\\n'
  COMPREPLY=($(${name} __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [[ \${COMPREPLY[0]} == *= ]] && compopt -o nospace
  __ltrim_colon_completions "\${COMP_WORDS[COMP_CWORD]}" 2>/dev/null || true
}
complete -o default -F _${name} ${name}
`;

const zsh = (name: string): string => `#compdef ${name}
_${name}() {
  local -a candidates
  candidates=("\${(@f)$(${name} __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n \${candidates[1]} ]]; then
    compadd -a candidates
  else
    _files
  fi
}
compdef _${name} ${name}
`;

const fish = (name: string): string => `# fish completion for ${name}
function __${name}_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l candidates (${name} __complete $words[2..-1] 2>/dev/null)
    if test (count $candidates) -gt 0
        printf '%s\\n' $candidates
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c ${name} -f -a '(__${name}_complete)'
`;

/** The scripts of a program by shell. @param name of the program, a word */
export const completionScripts = (name: string): Readonly<Record<string, string>> => ({
  bash: bash(name),
  zsh: zsh(name),
  fish: fish(name),
});
