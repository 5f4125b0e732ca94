import { bool, custom, duration, integer, list, parseBool, text } from "../flags/flag.ts";

/** Yes, no, or not said. */
const optionalBool = (help: string) => ({
  ...custom<boolean | undefined>(help, { hint: "", initial: undefined, parse: parseBool }),
  bare: "true",
});

/** Before the command's word. */
export const globalFlags = {
  "command-timeout": duration("timeout for the command execution"),
  debug: bool("enable debug output"),
  "insecure-policy": bool("run the tool without any policy check"),
  "override-arch": text("use ARCH instead of the architecture of the machine for choosing images", { hint: "ARCH" }),
  "override-os": text("use OS instead of the running OS for choosing images", { hint: "OS" }),
  "override-variant": text("use VARIANT instead of the running architecture variant for choosing images", {
    hint: "VARIANT",
  }),
  policy: text("Path to a trust policy file"),
  "registries.d": text("use registry configuration files in DIR", { hint: "DIR" }),
  tmpdir: text("directory used to store temporary files"),
  version: bool("Version for Skopeo", { short: "v" }),
} as const;

/** How one image is reached; with a prefix for commands that have two. */
export const imageFlags = {
  authfile: text("path of the authentication file. Default is ${XDG_RUNTIME_DIR}/containers/auth.json"),
  "cert-dir": text("use certificates at PATH (*.crt) to connect to the registry", { hint: "PATH" }),
  creds: text("Use USERNAME[:PASSWORD] for accessing the registry", { hint: "USERNAME[:PASSWORD]" }),
  "daemon-host": text("use docker daemon host at HOST (docker-daemon: only)", { hint: "HOST" }),
  "no-creds": bool("Access the registry anonymously"),
  password: text("Password for accessing the registry"),
  "registry-token": text("Provide a Bearer token for accessing the registry"),
  "shared-blob-dir": text("DIRECTORY to use to share blobs across OCI repositories", { hint: "DIRECTORY" }),
  "tls-verify": optionalBool("require HTTPS and verify certificates when talking to the container registry"),
  username: text("Username for accessing the registry"),
} as const;

export type ImageFlag = keyof typeof imageFlags;
export type ImageValues = { readonly [K in ImageFlag]: (typeof imageFlags)[K]["initial"] };

type Prefixed<P extends string> = { readonly [K in ImageFlag as `${P}-${K}`]: (typeof imageFlags)[K] };

/** The same flags for one side of a copy. */
export function prefixed<const P extends string>(prefix: P): Prefixed<P> {
  return Object.fromEntries(
    Object.entries(imageFlags).map(([name, flag]) => [`${prefix}-${name}`, flag]),
  ) as Prefixed<P>;
}

/** The values of one side. */
export function sideOf(values: Readonly<Record<string, unknown>>, prefix: string): ImageValues {
  const side = Object.keys(imageFlags).map((name) => [name, values[`${prefix}-${name}`]]);
  const both = values["authfile"];
  const own = Object.fromEntries(side) as ImageValues;
  return own.authfile === "" && typeof both === "string" ? { ...own, authfile: both } : own;
}

/** What copying takes besides the two sides. */
export const transferFlags = {
  all: bool("Copy all images if SOURCE-IMAGE is a list", { short: "a" }),
  authfile: imageFlags.authfile,
  format: text("MANIFEST TYPE (oci or v2s2) to use in the destination", { short: "f", hint: "MANIFEST" }),
  "preserve-digests": bool("Preserve digests of images and lists"),
  "remove-signatures": bool("Do not copy signatures from SOURCE-IMAGE"),
  "retry-times": integer("the number of times to possibly retry", { unsigned: true }),
  "sign-by": text("Sign the image using a GPG key with the specified FINGERPRINT", { hint: "FINGERPRINT" }),
  "sign-by-sigstore-private-key": text("Sign the image using a sigstore private key at PATH", { hint: "PATH" }),
  "sign-passphrase-file": text("Read a passphrase for signing an image from PATH", { hint: "PATH" }),
} as const;

export const copyFlags = {
  ...transferFlags,
  ...prefixed("src"),
  ...prefixed("dest"),
  "additional-tag": list("additional tags (supports docker-archive)"),
  "decryption-key": list("key needed to decrypt the image"),
  "dest-compress": bool("Compress tarball image layers when saving to directory using the 'dir' transport"),
  "dest-compress-format": text("FORMAT to use for the compression", { hint: "FORMAT" }),
  "dest-compress-level": integer("LEVEL to use for the compression", { hint: "LEVEL" }),
  "dest-decompress": bool("Decompress tarball image layers when saving to directory using the 'dir' transport"),
  "dest-oci-accept-uncompressed-layers": bool(
    "Allow uncompressed image layers when saving to an OCI image using the 'oci' transport",
  ),
  "dest-precompute-digests": bool("Precompute digests to prevent uploading layers already on the registry"),
  digestfile: text("Write the digest of the pushed image to the specified file"),
  "encrypt-layer": list("the 0-indexed layer indices to encrypt"),
  "encryption-key": list("key with the encryption protocol to use needed to encrypt the image"),
  "multi-arch": text("How to handle multi-architecture images (system, all, or index-only)"),
  quiet: bool("Suppress output information when copying images", { short: "q" }),
  "sign-identity": text("Identity of signed image, must be a fully specified docker reference"),
} as const;
