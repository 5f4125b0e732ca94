/** Scripts that make a shell ask this program what could stand next: `boxship __complete WORD...`. */

const BASH = `# bash completion for boxship
_boxship() {
  local IFS=$'\\n'
  COMPREPLY=($(boxship __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [[ \${COMPREPLY[0]} == *= ]] && compopt -o nospace
  __ltrim_colon_completions "\${COMP_WORDS[COMP_CWORD]}" 2>/dev/null || true
}
complete -o default -F _boxship boxship
`;

const ZSH = `#compdef boxship
_boxship() {
  local -a candidates
  candidates=("\${(@f)$(boxship __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n \${candidates[1]} ]]; then
    compadd -a candidates
  else
    _files
  fi
}
compdef _boxship boxship
`;

const FISH = `# fish completion for boxship
function __boxship_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l candidates (boxship __complete $words[2..-1] 2>/dev/null)
    if test (count $candidates) -gt 0
        printf '%s\\n' $candidates
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c boxship -f -a '(__boxship_complete)'
`;

export const completionScripts: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
