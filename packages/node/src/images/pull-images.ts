import { asBoxshipError, type Clock, FailedPrecondition, InvalidArgument } from "@boxship/base";
import { Backoff } from "@boxship/client";
import type { AuthConfig, Cri } from "@boxship/cri";
import type { Init } from "@boxship/grpc";
import { dataOf, type ReferencedObjects } from "../environment/referenced-objects.ts";
import type { ContainerSpec, Pod } from "../types.ts";
import type { PulledImages } from "./pulled-images.ts";

/** An image that is there, as containers are made of it. */
export interface FoundImage {
  readonly id: string;
  readonly uid: number | undefined;
  readonly username: string;
}

/** Why a container waits for its image, by the words of its status. */
export class ImageFailure extends FailedPrecondition {
  readonly reason: string;

  constructor(reason: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.reason = reason;
  }
}

export interface PullImagesOptions {
  readonly cri: Pick<Cri, "imageStatus" | "pullImage">;
  readonly objects: Pick<ReferencedObjects, "get">;
  readonly clock: Clock;
  readonly pulled: Pick<PulledImages, "pulled" | "touch">;
}

export type Tell = (type: "Normal" | "Warning", reason: string, message: string) => void;

/** Gets images for pods, as their pull policies say; what fails is tried again after a wait that grows to 5 minutes. */
export class PullImages {
  readonly #options: PullImagesOptions;
  /** Until when each waits is monotonic: a clock that is set back holds none up. */
  readonly #waits = new Map<string, { readonly backoff: Backoff; until: number }>();

  constructor(options: PullImagesOptions) {
    this.#options = options;
  }

  /** @throws ImageFailure */
  async get(pod: Pod, { image = "", imagePullPolicy, name }: ContainerSpec, tell: Tell): Promise<FoundImage> {
    const policy = imagePullPolicy ?? "IfNotPresent";
    const present = await this.#find(image).catch((error: unknown) => {
      if (!(error instanceof InvalidArgument)) throw error;
      const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": ${error.message}`;
      tell("Warning", "InspectFailed", message);
      throw new ImageFailure("InvalidImageName", message, error);
    });
    if (present !== undefined && policy !== "Always") {
      await this.#options.pulled.touch(image);
      tell("Normal", "Pulled", `Container image "${image}" already present on machine`);
      return present;
    }
    if (policy === "Never") {
      const message = `Container image "${image}" is not present with pull policy of Never`;
      tell("Warning", "ErrImageNeverPull", message);
      throw new ImageFailure("ErrImageNeverPull", message);
    }
    const key = `${pod.metadata.uid}/${name}/${image}`;
    const wait = this.#waits.get(key) ?? {
      backoff: new Backoff({ base: 10_000, most: 300_000 }),
      until: Number.NEGATIVE_INFINITY,
    };
    const { clock } = this.#options;
    if (clock.monotonic() < wait.until) {
      tell("Normal", "BackOff", `Back-off pulling image "${image}"`);
      throw new ImageFailure("ImagePullBackOff", `Back-off pulling image "${image}"`);
    }
    tell("Normal", "Pulling", `Pulling image "${image}"`);
    const began = clock.monotonic();
    try {
      await this.#pull(pod, image);
    } catch (error) {
      this.#waits.set(key, wait);
      wait.until = clock.monotonic() + wait.backoff.next();
      const message = `Failed to pull image "${image}": ${asBoxshipError(error).message}`;
      tell("Warning", "Failed", message);
      throw new ImageFailure("ErrImagePull", message, error);
    }
    this.#waits.delete(key);
    // What somebody else had here is not ours to remove one day.
    if (present === undefined) await this.#options.pulled.pulled(image);
    const found = await this.#find(image);
    if (found === undefined) throw new ImageFailure("ErrImagePull", `image "${image}" is gone again`);
    tell("Normal", "Pulled", `Successfully pulled image "${image}" in ${Math.round(clock.monotonic() - began)}ms`);
    return found;
  }

  /** Milliseconds until a pull may be tried again. */
  waitOf(pod: Pod, { image = "", name }: ContainerSpec): number {
    const wait = this.#waits.get(`${pod.metadata.uid}/${name}/${image}`);
    return wait === undefined ? 0 : Math.max(0, wait.until - this.#options.clock.monotonic());
  }

  forget({ metadata: { uid = "" } }: Pod): void {
    for (const key of this.#waits.keys()) if (key.startsWith(`${uid}/`)) this.#waits.delete(key);
  }

  async #find(image: string): Promise<FoundImage | undefined> {
    const { image: found } = await this.#options.cri.imageStatus({ image: { image } });
    return found === undefined ? undefined : { id: found.id, uid: found.uid?.value, username: found.username };
  }

  /** With each of the pod's secrets in turn, and at last without. */
  async #pull(pod: Pod, image: string): Promise<void> {
    let failed: unknown;
    for (const auth of [...(await this.#credentials(pod, image)), undefined]) {
      try {
        await this.#options.cri.pullImage({ image: { image }, ...(auth === undefined ? {} : { auth }) });
        return;
      } catch (error) {
        failed ??= error;
      }
    }
    throw failed;
  }

  async #credentials({ metadata, spec }: Pod, image: string): Promise<readonly Init<AuthConfig>[]> {
    const { namespace = "", uid = "" } = metadata;
    const found: Init<AuthConfig>[] = [];
    for (const { name = "" } of spec.imagePullSecrets ?? []) {
      const secret = await this.#options.objects.get("secrets", namespace, name, uid);
      if (secret === undefined) continue;
      const data = dataOf("secrets", secret);
      const current = data.get(".dockerconfigjson");
      const old = data.get(".dockercfg");
      found.push(...credentialsFor(image, current === undefined ? parse(old) : (parse(current)["auths"] ?? {})));
    }
    return found;
  }
}

function parse(bytes: Buffer | undefined): Record<string, Record<string, string>> {
  try {
    return JSON.parse(bytes?.toString("utf8") ?? "{}") as Record<string, Record<string, string>>;
  } catch {
    // A secret that is none helps nobody.
    return {};
  }
}

/** The entries of a Docker configuration that are for the image's registry. */
function credentialsFor(image: string, auths: Readonly<Record<string, unknown>>): readonly Init<AuthConfig>[] {
  const [first = ""] = image.split("/", 1);
  const registry = image.includes("/") && /[.:]|^localhost$/.test(first) ? first : "docker.io";
  return Object.entries(auths).flatMap(([key, entry]) => {
    const host = key.replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
    const fits = host === registry || (registry === "docker.io" && host.endsWith("docker.io"));
    if (!fits || typeof entry !== "object" || entry === null) return [];
    const { username, password, auth, identitytoken: identityToken } = entry as Record<string, string | undefined>;
    return [{ username, password, auth, identityToken, serverAddress: registry }];
  });
}
