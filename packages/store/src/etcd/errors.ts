import { errorMessage, Internal, InvalidArgument, NotFound, PermissionDenied, ResourceExhausted } from "@boxship/base";

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
  // Of its authentication; nobody who asks us has said anything wrong.
  if (error instanceof PermissionDenied || (error instanceof InvalidArgument && /user name|auth/.test(error.message))) {
    return new Internal(`etcd does not let us in: ${errorMessage(error)}`, {
      cause: error,
      remedy: "give --etcd-cert a certificate whose common name is a user of etcd that may do everything",
    });
  }
  return error;
}

export function noLease(id: number, cause?: unknown): NotFound {
  return new NotFound(`lease ${id} does not exist`, { cause, subject: { kind: "lease", name: String(id) } });
}
