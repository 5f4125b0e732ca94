import { errorMessage, InvalidArgument, NotFound, ResourceExhausted } from "@boxship/base";

/** etcd tells a future revision and a compacted one by the same code; the words tell them apart. */
export function refusedAsCompacted(error: unknown): boolean {
  return error instanceof InvalidArgument && errorMessage(error).includes("has been compacted");
}

/** What etcd refuses, in the words of the store. */
export function explained(error: unknown): unknown {
  if (error instanceof ResourceExhausted && error.message.includes("space exceeded")) {
    return new ResourceExhausted("etcd's database is full", {
      cause: error,
      remedy: "compact and defragment etcd or raise its quota, then disarm its alarm: etcdctl alarm disarm",
    });
  }
  return error;
}

export function noLease(id: number, cause?: unknown): NotFound {
  return new NotFound(`lease ${id} does not exist`, { cause, subject: { kind: "lease", name: String(id) } });
}
