import { InvalidArgument } from "@boxship/base";
import { isDigest } from "@boxship/oci";
import { bodyOf, type Call, digestArgument, empty } from "../http/call.ts";
import { RepositoryStore } from "../store/repository-store.ts";
import { finished, uploadAt } from "./upload-headers.ts";

const ALGORITHMS: readonly string[] = ["sha256", "sha384", "sha512"];

/** `POST /v2/{name}/blobs/uploads/`: begins an upload, is one (`?digest=`), or mounts a blob (`?mount=&from=`). */
export async function uploadStart(call: Call): Promise<void> {
  await call.allow("push");
  call.upstreams.refuseToChange(call.repository);
  const { repository, query, uploads, request } = call;
  const [mount, from] = [query.get("mount"), query.get("from")];
  if (mount !== null && from !== null && isDigest(mount) && (await mayPull(call, from))) {
    if (await call.repositories.mountBlob(repository, RepositoryStore.checkName(from), mount)) {
      await finished(call, mount, from);
      return;
    }
  }
  const algorithm = query.get("digest-algorithm");
  // Which one is told by the digest at the end; here it only must be one that is known.
  if (algorithm !== null && !ALGORITHMS.includes(algorithm)) {
    throw new InvalidArgument(`digest algorithm ${JSON.stringify(algorithm)} is not known here`, {
      subject: { kind: "digest", name: algorithm },
      remedy: `use one of ${ALGORITHMS.join(", ")}`,
    });
  }
  const digest = query.has("digest") ? digestArgument(query.get("digest")) : undefined;
  const id = await uploads.start(repository);
  if (digest === undefined) {
    empty(call, 202, uploadAt(repository, id, 0));
    return;
  }
  try {
    await uploads.finish(repository, id, bodyOf(request), digest);
  } catch (error) {
    // The client does not know its name, and cannot go on with it.
    await uploads.cancel(repository, id).catch(() => {});
    throw error;
  }
  await finished(call, digest);
}

/** Whoever may not read a blob where it is may push it all the same. */
async function mayPull(call: Call, repository: string): Promise<boolean> {
  try {
    await call.allow("pull", repository);
    return true;
  } catch {
    return false;
  }
}
