/** Kinds of packages: each has its own versions, names and place in a vulnerability database. */
export type PackageKind = "deb" | "apk" | "rpm" | "npm" | "pypi" | "golang" | "maven";

/** A package that an image has, and what tells so. */
export interface FoundPackage {
  readonly kind: PackageKind;
  readonly name: string;
  readonly version: string;
  readonly architecture?: string;
  /** What it was built from, where that is not the package itself: vulnerabilities of distributions name it. */
  readonly source?: { readonly name: string; readonly version: string };
  /** As the package says it. */
  readonly license?: string;
  /** File that it was found by. */
  readonly path: string;
  /** Digest of the layer that has the file. */
  readonly layer: string;
}

/** What an image says of its distribution (os-release(5)). */
export interface Distribution {
  readonly id: string;
  readonly version: string;
  readonly name: string;
}

/** All that was found in an image. */
export interface Inventory {
  readonly distribution: Distribution | undefined;
  /** Sorted by kind, name and version. */
  readonly packages: readonly FoundPackage[];
}

/** The package as a URL (package-url specification). */
export function packageUrl(found: FoundPackage, distribution: Distribution | undefined): string {
  const { kind } = found;
  // Only rpm's has its epoch beside the version, not in it.
  const [, epoch, version = found.version] = (kind === "rpm" && /^(\d+):(.*)$/.exec(found.version)) || [];
  const name = purlName(found, distribution);
  const qualifiers = new Map<string, string>();
  if (found.architecture !== undefined) qualifiers.set("arch", found.architecture);
  if (distribution !== undefined && (kind === "deb" || kind === "apk" || kind === "rpm")) {
    qualifiers.set("distro", `${distribution.id}-${distribution.version}`);
  }
  if (epoch !== undefined) qualifiers.set("epoch", epoch);
  const query = [...qualifiers].map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&");
  return `pkg:${kind}/${name}@${encodePart(version)}${query === "" ? "" : `?${query}`}`;
}

function purlName({ kind, name }: FoundPackage, distribution: Distribution | undefined): string {
  const parts = kind === "maven" ? name.split(":") : kind === "golang" || kind === "npm" ? name.split("/") : [name];
  const namespace = kind === "deb" || kind === "apk" || kind === "rpm" ? [distribution?.id ?? kind] : [];
  return [...namespace, ...parts].map(encodePart).join("/");
}

function encodePart(text: string): string {
  return encodeURIComponent(text).replaceAll("%3A", ":");
}
