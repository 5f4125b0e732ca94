import { InvalidArgument } from "@boxship/base";

const PREFIX = /^(?:docker\.io\/)?(?:library\/)?/;

/**
 * The filter `reference`: a pattern of `path.Match` (`*`, `?`, `[a-z]`, none of which crosses a slash) against the
 * familiar name of a repository, with its tag or digest or without.
 */
export function referenceMatcher(pattern: string): (name: string) => boolean {
  const expression = new RegExp(`^${translate(pattern.replace(PREFIX, ""))}$`);
  return (name) => {
    const familiar = name.replace(PREFIX, "");
    return expression.test(familiar) || expression.test(repository(familiar)) || expression.test(name);
  };
}

function repository(name: string): string {
  return name.replace(/@.*$/, "").replace(/:[^:/]+$/, "");
}

/** A shell pattern as a regular expression; each star is bounded by the next slash, so that it cannot blow up. */
function translate(pattern: string): string {
  if (pattern.length > 255) throw new InvalidArgument("invalid filter 'reference': the pattern is too long");
  const collapsed = pattern.replace(/\*+/g, "*");
  return collapsed.replace(
    /\[(\^?)([^\]\\]+)\]|\*|\?|[^\w/-]/g,
    (token, negated: string | undefined, set: string | undefined) => {
      if (token === "*") return "[^/]*";
      if (token === "?") return "[^/]";
      if (set !== undefined) return `[${negated}${set.replace(/[[\]\\^]/g, "\\$&")}]`;
      return `\\${token}`;
    },
  );
}
