import type { Context } from "../context.ts";
import { authHeaders } from "../credentials/registry-auth.ts";
import type { ImageName } from "../format/image-name.ts";
import { showProgress } from "../stream/progress.ts";
import { imagePath } from "./container-path.ts";

/** Docker's daemon refuses a push that says nothing about an account. */
const NO_ACCOUNT = { "X-Registry-Auth": Buffer.from("{}").toString("base64url") };

export interface PushOptions {
  /** Undefined: all tags. */
  readonly tag: string | undefined;
  readonly platform?: string | undefined;
  /** Where progress is shown. @default nowhere */
  readonly output?: NodeJS.WriteStream | undefined;
}

/** Sends an image to its registry. @throws ApiError with the registry's or the engine's reason */
export async function pushImage(context: Context, name: ImageName, options: PushOptions): Promise<void> {
  const { tag, platform, output } = options;
  const response = await context.api.open("POST", imagePath(name.repository, "/push"), {
    query: { tag, platform },
    headers: { ...NO_ACCOUNT, ...(await authHeaders(await context.config(), name.repository)) },
  });
  await showProgress(response.body, { output });
}
