/** What a document is about, and who made it. */
export interface BomSubject {
  /** As the user named it. */
  readonly name: string;
  /** Of its manifest. */
  readonly digest: string;
  /** RFC 3339, to the second: the image's own time, so that the same image gives the same document. */
  readonly created: string;
  readonly toolVersion: string;
}
