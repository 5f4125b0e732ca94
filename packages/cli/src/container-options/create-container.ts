import { type FileHandle, open, unlink } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { errorMessage, systemCode } from "@boxship/base/errors";
import { isNotFound } from "../api-client/api-error.ts";
import { type Context, warn } from "../context.ts";
import { authHeaders } from "../credentials/registry-auth.ts";
import { Failure } from "../failure.ts";
import { invalidReference, parseImageName, pullTarget, withDefaultTag } from "../format/image-name.ts";
import { showProgress } from "../stream/progress.ts";
import { terminalSize } from "../stream/terminal-size.ts";
import type { ContainerBody } from "./build-container.ts";

export interface CreateOptions {
  readonly name: string;
  readonly platform: string;
  readonly pull: string;
  readonly quiet: boolean;
  readonly cidfile: string;
}

/** Pulls an image, its progress on standard error. @throws ApiError with the registry's or the engine's reason */
export async function pullImage(
  context: Context,
  image: string,
  options: Pick<CreateOptions, "platform" | "quiet">,
): Promise<void> {
  const name = parseImageName(image);
  const response = await context.api.open("POST", "/images/create", {
    query: { ...(name === undefined ? { fromImage: image } : pullTarget(name)), platform: options.platform },
    headers: await authHeaders(await context.config(), image),
  });
  await showProgress(response.body, { output: options.quiet ? undefined : context.stderr });
}

/** @throws Failure for anything else than the three policies */
export function checkPullPolicy(policy: string): void {
  if (["always", "missing", "never", ""].includes(policy)) return;
  throw new Failure(`invalid pull option: '${policy}': must be one of "always", "missing" or "never"`);
}

/** The file of `--cidfile`, made before there is a container: it goes again when there never is one. */
class CidFile implements AsyncDisposable {
  readonly #path: string;
  readonly #handle: FileHandle;
  #written = false;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  static async create(path: string): Promise<CidFile> {
    try {
      return new CidFile(path, await open(path, "wx"));
    } catch (cause) {
      if (systemCode(cause) === "EEXIST") {
        throw new Failure(`container ID file found, make sure the other container isn't running or delete ${path}`);
      }
      throw new Failure(`failed to create the container ID file: ${errorMessage(cause)}`, { cause });
    }
  }

  async write(id: string): Promise<void> {
    try {
      await this.#handle.writeFile(id);
      this.#written = true;
    } catch (cause) {
      throw new Failure(`failed to write the container ID to the file: ${errorMessage(cause)}`, { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    if (!this.#written) await unlink(this.#path);
  }
}

interface Created {
  readonly Id: string;
  readonly Warnings?: readonly string[] | null;
}

/**
 * Creates the container, pulling its image first as the policy says. Warnings go to standard error, the id into
 * `--cidfile`.
 *
 * @returns the container's id
 */
export async function createContainer(context: Context, body: ContainerBody, options: CreateOptions): Promise<string> {
  await using cidFile = options.cidfile === "" ? undefined : await CidFile.create(options.cidfile);
  const name = parseImageName(body.Image);
  if (name === undefined && !/^(sha256:)?[0-9a-f]{12,64}$/.test(body.Image))
    throw new Failure(invalidReference(body.Image));
  if (options.pull === "always") await pullImage(context, body.Image, options);
  const create = (): Promise<Created> =>
    context.api.json<Created>("POST", "/containers/create", {
      query: { name: options.name, platform: options.platform },
      body: { ...body, HostConfig: { ...body.HostConfig, ConsoleSize: terminalSize(context) } },
    });
  let created: Created;
  try {
    created = await create();
  } catch (error) {
    const missing = isNotFound(error) && /no such image/i.test(errorMessage(error));
    if (!missing || name === undefined || options.pull !== "missing") throw error;
    if (!options.quiet) warn(context, `Unable to find image '${withDefaultTag(name)}' locally`);
    await pullImage(context, body.Image, options);
    created = await create();
  }
  for (const warning of [...(created.Warnings ?? []), ...dnsWarnings(body)]) warn(context, `WARNING: ${warning}`);
  await cidFile?.write(created.Id);
  return created.Id;
}

function dnsWarnings({ HostConfig }: ContainerBody): readonly string[] {
  const local = HostConfig.Dns.find((address) => (isIPv4(address) ? address.startsWith("127.") : address === "::1"));
  return local === undefined ? [] : [`Localhost DNS (${local}) may fail in containers.`];
}
