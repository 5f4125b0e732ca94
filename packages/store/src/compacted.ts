import { FailedPrecondition } from "@boxship/base";

/** The revision that was asked for is no longer kept. */
export class Compacted extends FailedPrecondition {
  /** The oldest revision that can be read. */
  readonly compactRevision: number;

  constructor(revision: number, compactRevision: number) {
    super(`revision ${revision} has been compacted; the oldest that is kept is ${compactRevision}`, {
      subject: { kind: "revision", name: String(revision) },
      remedy: "list again, and watch from the revision that the list has",
    });
    this.compactRevision = compactRevision;
  }
}
