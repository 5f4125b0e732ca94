import type { CommandEntry } from "../command.ts";
import { Failure } from "../failure.ts";

/** As buildah says it. */
export function unknownWord(word: string): Failure {
  return new Failure(`Error: unknown command ${JSON.stringify(word)} for "buildah"`, {
    status: 125,
    remedy: "see boxship buildah --help",
  });
}

/** Buildah's words: working containers, and its spelling of what else there is. */
export const buildahTable: readonly CommandEntry[] = [
  {
    name: "add",
    summary: "Add content to a working container, archives unpacked",
    load: () => import("../commands/buildah/add.ts"),
  },
  {
    name: "build",
    aliases: ["bud", "build-using-dockerfile"],
    summary: "Build an image using instructions in a Containerfile",
    load: () => import("../commands/buildah/build.ts"),
  },
  {
    name: "commit",
    summary: "Create an image from a working container",
    load: () => import("../commands/buildah/commit.ts"),
  },
  {
    name: "config",
    summary: "Update image configuration settings",
    load: () => import("../commands/buildah/config.ts"),
  },
  {
    name: "containers",
    aliases: ["list", "ls", "ps"],
    summary: "List working containers and their base images",
    load: () => import("../commands/buildah/containers.ts"),
  },
  {
    name: "copy",
    summary: "Copy content into a working container",
    load: () => import("../commands/buildah/copy.ts"),
  },
  {
    name: "from",
    summary: "Create a working container based on an image",
    load: () => import("../commands/buildah/from.ts"),
  },
  {
    name: "images",
    summary: "List images in local storage",
    load: () => import("../commands/buildah/images.ts"),
  },
  {
    name: "inspect",
    summary: "Inspect the configuration of a working container or image",
    load: () => import("../commands/buildah/inspect.ts"),
  },
  {
    name: "mount",
    summary: "Mount a working container's root filesystem, or list those that are mounted",
    load: () => import("../commands/buildah/mount.ts"),
  },
  { name: "pull", summary: "Pull an image from its registry", load: () => import("../commands/buildah/pull.ts") },
  { name: "push", summary: "Push an image to a registry", load: () => import("../commands/buildah/push.ts") },
  { name: "rename", summary: "Rename a working container", load: () => import("../commands/buildah/rename.ts") },
  {
    name: "rm",
    aliases: ["delete"],
    summary: "Remove one or more working containers",
    load: () => import("../commands/buildah/rm.ts"),
  },
  {
    name: "rmi",
    summary: "Remove one or more images from local storage",
    load: () => import("../commands/buildah/rmi.ts"),
  },
  {
    name: "run",
    summary: "Run a command inside of a working container",
    load: () => import("../commands/buildah/run.ts"),
  },
  {
    name: "tag",
    summary: "Add an additional name to a local image",
    load: () => import("../commands/buildah/tag.ts"),
  },
  {
    name: "umount",
    aliases: ["unmount"],
    summary: "Unmount the root file system of the specified working containers",
    load: () => import("../commands/buildah/umount.ts"),
  },
];
