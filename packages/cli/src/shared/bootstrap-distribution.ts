import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hideCredentials } from "@boxship/base";
import { errorMessage } from "@boxship/base/errors";
import {
  alpineArchitecture,
  alpineRoot,
  type ImageDestination,
  imageFromDirectory,
  imageFromRoot,
  openDestination,
  readApkKeys,
} from "@boxship/images";
import { debianRoot, hostPlatform, openUrl } from "@boxship/oci";
import type { Context } from "../context.ts";
import { print } from "../context.ts";
import { Failure } from "../failure.ts";
import { parseFlags } from "../flags/parse-flags.ts";
import { imageFlags } from "../skopeo/flags.ts";
import { surroundings } from "../skopeo/surroundings.ts";
import { imagePath } from "./container-path.ts";

export interface DistributionRequest {
  /** Root of the distribution's archive. @default the distribution's own */
  readonly mirror: string | undefined;
  /** @default a current one with long support */
  readonly release: string | undefined;
  /** Files of public keys. @default where the distribution's package of keys puts them */
  readonly keys: readonly string[];
  /** Packages beside the base system. */
  readonly packages: readonly string[];
  readonly onProgress: (line: string) => void;
}

export type Distribution = "ubuntu" | "alpine";

/** Makes the base image of a distribution that is not the machine's, packed here and loaded into the engine. */
export async function bootstrapDistribution(
  context: Context,
  kind: Distribution,
  request: DistributionRequest,
): Promise<void> {
  if (process.getuid?.() !== 0) throw new Failure(`root is needed to make ${kind}'s files with their owners`);
  const release = request.release ?? (kind === "ubuntu" ? "noble" : "latest-stable");
  if (!/^[a-z0-9][a-z0-9.-]*$/.test(release)) throw new Failure(`${JSON.stringify(release)} is no name of a release`);
  const image = `${kind}:${release}`;
  await using around = surroundings(context, parseFlags(imageFlags, []).values, undefined);
  await using destination = await openDestination({ transport: "containers-storage", image }, around);
  const make = kind === "ubuntu" ? ubuntu : alpine;
  await make({ ...request, release, destination, epoch: sourceDateEpoch(context) });
  await context.api.call("POST", imagePath(image, "/tag"), { query: { repo: kind, tag: "latest" } });
  print(context, image);
}

/** What `SOURCE_DATE_EPOCH` says, if it is set. */
export function sourceDateEpoch({ env }: Context): number | undefined {
  const text = env["SOURCE_DATE_EPOCH"] ?? "";
  if (text === "") return undefined;
  if (/^[0-9]{1,12}$/.test(text)) return Number(text);
  throw new Failure("SOURCE_DATE_EPOCH is no number of seconds");
}

interface Making extends DistributionRequest {
  readonly release: string;
  readonly destination: ImageDestination;
  readonly epoch: number | undefined;
}

const UBUNTU_KEYRING = "/usr/share/keyrings/ubuntu-archive-keyring.gpg";
const UBUNTU_MIRRORS: Readonly<Record<string, string>> = {
  amd64: "http://archive.ubuntu.com/ubuntu",
  arm64: "http://ports.ubuntu.com/ubuntu-ports",
};

async function ubuntu(making: Making): Promise<void> {
  const { release, keys, destination, onProgress, packages } = making;
  if (packages.length > 0) throw new Failure("--package goes with alpine only");
  const mirror = making.mirror ?? UBUNTU_MIRRORS[hostPlatform().architecture] ?? "";
  const [keyring = UBUNTU_KEYRING, ...others] = keys;
  if (others.length > 0) throw new Failure("one keyring is enough for --key");
  if (!existsSync(keyring)) {
    throw new Failure(`the keyring ${keyring} is not there, and without it nothing of the archive can be trusted`, {
      remedy: "install Ubuntu's package ubuntu-keyring, or name a keyring with --key",
    });
  }
  const suites = [release, `${release}-updates`, `${release}-security`];
  const dates = await Promise.all(suites.map((suite) => releaseDate(mirror, suite)));
  if (dates[0] === undefined) {
    throw new Failure(`${hideCredentials(mirror)} has no release ${release}`, { remedy: "name one with --release" });
  }
  const there = suites.filter((_suite, index) => dates[index] !== undefined);
  const root = await debianRoot({
    release: { id: "ubuntu", codename: release },
    sources: `Types: deb\nURIs: ${mirror}\nSuites: ${there.join(" ")}\nComponents: main\nSigned-By: ${keyring}\n`,
    epoch: making.epoch ?? Math.max(...dates.map((date) => date ?? 0)),
    onProgress,
  });
  await imageFromRoot({
    ...root,
    destination,
    epoch: root.epoch ?? 0,
    createdBy: `boxship image bootstrap ubuntu --release ${release}`,
  });
}

/** When a suite of an archive was made, in seconds since the epoch; undefined when it has none of that name. */
async function releaseDate(mirror: string, suite: string): Promise<number | undefined> {
  const address = `${mirror.replace(/\/+$/, "")}/dists/${suite}/InRelease`;
  try {
    await using opened = await openUrl(address);
    let text = "";
    for await (const piece of opened.body) {
      text += Buffer.from(piece).toString("latin1");
      if (text.length > 4096) break;
    }
    const date = Date.parse(/^Date: *(.+)$/m.exec(text)?.[1] ?? "");
    return Number.isNaN(date) ? undefined : Math.floor(date / 1000);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "NotFound") return undefined;
    throw new Failure(`the archive cannot be reached: ${errorMessage(error)}`, {
      remedy: "name a mirror that can be reached with --mirror",
    });
  }
}

const ALPINE_MIRROR = "https://dl-cdn.alpinelinux.org/alpine";
const ALPINE_KEYS = ["/etc/apk/keys", "/usr/share/apk/keys"];
/** Those of Alpine's own root file system. */
const ALPINE_BASE = ["alpine-baselayout", "alpine-keys", "alpine-release", "apk-tools", "busybox", "libc-utils"];

async function alpine(making: Making): Promise<void> {
  const { release, destination, onProgress, packages } = making;
  const keys = await readApkKeys(making.keys.length > 0 ? making.keys : await ownKeys());
  const directory = await mkdtemp(join(tmpdir(), "boxship-bootstrap-"));
  try {
    const root = await alpineRoot({
      mirror: making.mirror ?? ALPINE_MIRROR,
      release,
      architecture: alpineArchitecture(hostPlatform().architecture),
      packages: [...ALPINE_BASE, ...packages],
      keys,
      directory,
      onProgress,
    });
    const config = { Cmd: ["/bin/sh"] };
    await imageFromDirectory({ directory, destination, epoch: making.epoch ?? root.epoch, config });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function ownKeys(): Promise<readonly string[]> {
  for (const directory of ALPINE_KEYS) {
    const names = await readdir(directory).catch((): string[] => []);
    const keys = names.filter((name) => name.endsWith(".pub"));
    if (keys.length > 0) return keys.sort().map((name) => join(directory, name));
  }
  return [];
}
