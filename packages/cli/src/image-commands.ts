import type { CommandEntry } from "./command.ts";

// Commands about images and what else is in registries; loaded when they are called, like all others.

export const image: readonly CommandEntry[] = [
  {
    name: "build",
    summary: "Build an image from a Containerfile",
    load: () => import("./commands/build.ts"),
  },
  {
    name: "bootstrap",
    summary: "Make a base image on the spot from packages, of this machine or of a mirror, without a registry",
    load: () => import("./commands/image-bootstrap.ts"),
  },
  { name: "history", summary: "Show the history of an image", load: () => import("./commands/history.ts") },
  {
    name: "import",
    summary: "Import the contents from a tarball to create a filesystem image",
    load: () => import("./commands/import.ts"),
  },
  {
    name: "inspect",
    summary: "Display detailed information on one or more images",
    load: () => import("./commands/image-inspect.ts"),
  },
  { name: "load", summary: "Load an image from a tar archive or STDIN", load: () => import("./commands/load.ts") },
  { name: "ls", aliases: ["list"], summary: "List images", load: () => import("./commands/images.ts") },
  { name: "prune", summary: "Remove unused images", load: () => import("./commands/image-prune.ts") },
  { name: "pull", summary: "Download an image from a registry", load: () => import("./commands/pull.ts") },
  { name: "push", summary: "Upload an image to a registry", load: () => import("./commands/push.ts") },
  {
    name: "rm",
    aliases: ["remove", "rmi"],
    summary: "Remove one or more images",
    load: () => import("./commands/rmi.ts"),
  },
  {
    name: "save",
    summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
    load: () => import("./commands/save.ts"),
  },
  {
    name: "sbom",
    summary: "Write a bill of materials: the packages in an image of the engine, or of any place with its transport",
    load: () => import("./commands/image-sbom.ts"),
  },
  {
    name: "scan",
    summary: "Match the packages in an image against an offline vulnerability database in OSV format",
    load: () => import("./commands/image-scan.ts"),
  },
  {
    name: "tag",
    summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    load: () => import("./commands/tag.ts"),
  },
];

export const artifact: readonly CommandEntry[] = [
  {
    name: "attach",
    summary: "Attach files to an image or artifact in a registry, as a referrer",
    load: () => import("./commands/artifact-attach.ts"),
  },
  {
    name: "ls",
    aliases: ["discover"],
    summary: "List what is attached to an image or artifact in a registry",
    load: () => import("./commands/artifact-ls.ts"),
  },
  {
    name: "pull",
    summary: "Write the files of an artifact in a registry to a directory",
    load: () => import("./commands/artifact-pull.ts"),
  },
  { name: "push", summary: "Push files of any type to a registry", load: () => import("./commands/artifact-push.ts") },
];

export const key: readonly CommandEntry[] = [
  {
    name: "generate",
    summary: "Make a pair of keys for signing images, in cosign's format",
    load: () => import("./commands/key-generate.ts"),
  },
];

export const umoci: readonly CommandEntry[] = [
  {
    name: "repack",
    summary: "Make an image of a bundle that was unpacked and changed, in the layout that it came from",
    load: () => import("./commands/umoci-repack.ts"),
  },
  {
    name: "unpack",
    summary: "Unpack an image of an OCI layout into a bundle for an OCI runtime",
    load: () => import("./commands/umoci-unpack.ts"),
  },
];

export const manifest: readonly CommandEntry[] = [
  {
    name: "annotate",
    summary: "Add additional information to a local image manifest",
    load: () => import("./commands/manifest-annotate.ts"),
  },
  {
    name: "create",
    summary: "Create a local manifest list for annotating and pushing to a registry",
    load: () => import("./commands/manifest-create.ts"),
  },
  {
    name: "inspect",
    summary: "Display an image manifest, or manifest list, as its registry keeps it",
    load: () => import("./commands/manifest-inspect.ts"),
  },
  {
    name: "push",
    summary: "Push a manifest list to a repository",
    load: () => import("./commands/manifest-push.ts"),
  },
  {
    name: "rm",
    summary: "Delete one or more manifest lists from local storage",
    load: () => import("./commands/manifest-rm.ts"),
  },
];
