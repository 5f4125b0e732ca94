import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { errorMessage, InvalidArgument, Unsupported } from "@boxship/base/errors";
import type { EngineStore, Surroundings } from "@boxship/images";
import {
  anonymous,
  type CredentialSource,
  type Credentials,
  createRegistryClient,
  credentialFiles,
  credentialsFor,
  hostPlatform,
  type Platform,
  type RegistryClient,
} from "@boxship/oci";
import { ApiClient } from "../api-client/client.ts";
import type { Context } from "../context.ts";
import { parseHost } from "../instance.ts";
import { imagePath } from "../shared/container-path.ts";
import { showProgress } from "../stream/progress.ts";
import type { ImageValues } from "./flags.ts";

export interface OpenedSurroundings extends Surroundings, AsyncDisposable {
  readonly removeFromEngine: (image: string) => Promise<void>;
}

/** What flags say of one side: its registry's client, its engine. @param registry host that the flags are about */
export function surroundings(context: Context, flags: ImageValues, registry: string | undefined): OpenedSurroundings {
  const client = registryClient(context.env, flags, registry);
  const host = flags["daemon-host"];
  const api = host === "" ? context.api : new ApiClient(parseHost(host));
  return {
    client,
    engine: engineStore(api),
    sharedBlobs: flags["shared-blob-dir"] || undefined,
    removeFromEngine: async (image) => {
      await api.call("DELETE", imagePath(image));
    },
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      if (api !== context.api) api[Symbol.dispose]();
    },
  };
}

function engineStore(api: ApiClient): EngineStore {
  return {
    async save(image) {
      return (await api.open("GET", imagePath(image, "/get"))).body;
    },
    async load(archive) {
      const { body } = await api.open("POST", "/images/load", {
        query: { quiet: "1" },
        stream: Readable.from(archive, { objectMode: false }),
        headers: { "Content-Type": "application/x-tar" },
      });
      await showProgress(body);
    },
  };
}

/** More of them wait for the network, not for a processor. */
const MOST_TRANSFER_THREADS = 4;

/** A client with the credentials and certificates that flags name. */
export function registryClient(
  env: NodeJS.ProcessEnv,
  flags: Omit<ImageValues, "daemon-host" | "shared-blob-dir">,
  registry: string | undefined,
): RegistryClient {
  const verify = flags["tls-verify"];
  const ca = certificates(flags["cert-dir"]);
  const own = { ...(verify !== undefined && { insecure: !verify }), ...(ca !== undefined && { ca }) };
  return createRegistryClient({
    registries: registry === undefined ? {} : { [registry]: own },
    credentials: credentials(env, flags, registry),
    // Nothing is unpacked beside it.
    transferThreads: Math.min(availableParallelism(), MOST_TRANSFER_THREADS),
    transferHere: true,
  });
}

function credentials(
  env: NodeJS.ProcessEnv,
  flags: Pick<ImageValues, "creds" | "no-creds" | "username" | "password" | "registry-token" | "authfile">,
  registry: string | undefined,
): CredentialSource {
  const { creds, username, password } = flags;
  if (flags["no-creds"]) {
    if (creds !== "") throw new InvalidArgument("creds and no-creds cannot be specified at the same time");
    return anonymous;
  }
  if (creds !== "" && username !== "") {
    throw new InvalidArgument("creds and username/password cannot be specified at the same time");
  }
  const direct = given(flags);
  if (direct !== undefined) return credentialsFor(registry ?? "", direct);
  if (password !== "") throw new InvalidArgument("password is given without a username");
  return credentialFiles({ env, ...(flags.authfile !== "" && { paths: [flags.authfile] }) });
}

function given({
  creds,
  username,
  password,
  "registry-token": token,
}: Pick<ImageValues, "creds" | "username" | "password" | "registry-token">): Credentials | undefined {
  if (token !== "") return { kind: "registry-token", token };
  if (creds !== "") {
    const colon = creds.indexOf(":");
    const [user, secret] = colon === -1 ? [creds, ""] : [creds.slice(0, colon), creds.slice(colon + 1)];
    if (user === "") throw new InvalidArgument("username can't be empty");
    return { kind: "password", username: user, password: secret };
  }
  return username === "" ? undefined : { kind: "password", username, password };
}

/** The authorities in a directory of certificates. @throws Unsupported for certificates of the client */
function certificates(directory: string): string | undefined {
  if (directory === "") return undefined;
  const names = readDirectory(directory);
  if (names.some((name) => /\.(?:cert|key)$/.test(name))) {
    throw new Unsupported(`client certificates are not supported: ${directory} has some`);
  }
  const authorities = names.filter((name) => name.endsWith(".crt"));
  return authorities.map((name) => readFileSync(join(directory, name), "utf8")).join("\n") || undefined;
}

function readDirectory(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    throw new InvalidArgument(`cannot read ${path}: ${errorMessage(error)}`, { cause: error });
  }
}

/** The platform that global flags choose. */
export function chosenPlatform(flags: {
  readonly "override-os": string;
  readonly "override-arch": string;
  readonly "override-variant": string;
}): Platform {
  const host = hostPlatform();
  const architecture = flags["override-arch"] || host.architecture;
  const variant = flags["override-variant"] || (flags["override-arch"] === "" ? host.variant : undefined);
  return { os: flags["override-os"] || host.os, architecture, ...(variant !== undefined && { variant }) };
}
