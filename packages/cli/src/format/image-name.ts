/** Image names as users write and read them. */

/** The parts of a name: `registry/path:tag@digest`. */
export interface ImageName {
  /** With its registry, as short as users write it. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const NAME =
  /^((?:(?:localhost|[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d+)?\/)?[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)(?::([\w][\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$/;

function familiar(repository: string): string {
  return repository.replace(/^(index\.)?docker\.io\//, "").replace(/^library\/(?=[^/]+$)/, "");
}

/** Reads a name; undefined when it is malformed, or an id rather than a name. */
export function parseImageName(text: string): ImageName | undefined {
  const match = NAME.exec(text);
  if (match === null || /^[0-9a-f]{64}$/.test(text)) return undefined;
  return { repository: familiar(match[1] ?? ""), tag: match[2], digest: match[3] };
}

/** The name with its tag, `latest` if it has neither tag nor digest. */
export function withDefaultTag({ repository, tag, digest }: ImageName): string {
  const tagged = tag ?? (digest === undefined ? "latest" : undefined);
  return repository + (tagged === undefined ? "" : `:${tagged}`) + (digest === undefined ? "" : `@${digest}`);
}

/** The name as the engine's pull takes it; without a tag it means all of them. */
export function pullTarget(name: ImageName, allTags = false): { readonly fromImage: string; readonly tag?: string } {
  if (allTags) return { fromImage: name.repository };
  const { repository, tag = "latest", digest } = name;
  return { fromImage: repository, tag: digest ?? tag };
}

/** The name with its registry spelled out, as the engine's pull prints it. */
export function fullName(name: ImageName): string {
  const text = withDefaultTag(name);
  const [first = "", ...rest] = text.split("/");
  if (rest.length > 0 && (/[.:]/.test(first) || first === "localhost")) return text;
  return `docker.io/${rest.length === 0 ? "library/" : ""}${text}`;
}

/** Twelve digits of an id, without its algorithm. */
export function shortId(id: string): string {
  return id.slice(id.indexOf(":") + 1).slice(0, 12);
}

/** What is wrong with a name that cannot be read. */
export function invalidReference(text: string): string {
  const problem = "invalid reference format";
  if (!/[A-Z]/.test(text) || parseImageName(text.toLowerCase()) === undefined) return problem;
  const [first = "", ...rest] = text.split("/");
  const named = rest.length > 0 && (/[.:A-Z]/.test(first) || first === "localhost");
  const path = named ? rest.join("/") : `${rest.length === 0 ? "library/" : ""}${text}`;
  const repository = path.split(":", 1)[0] ?? "";
  return /[A-Z]/.test(repository) ? `${problem}: repository name (${repository}) must be lowercase` : problem;
}
