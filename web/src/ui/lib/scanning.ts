/** A code, but none of a room. */
export const OTHER_CODE =
  "This is another code. Look for the one under “Scan this to join” on the first phone.";

/** Why there is no picture, and what to do; `getUserMedia`'s names for it. */
export function cameraTrouble(cause: unknown): string {
  switch (cause instanceof Error ? cause.name : "") {
    case "NotAllowedError":
      return "This page may not use the camera. Allow it in the browser's settings for this page, or open the phone's camera app and scan the code there.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "There is no camera here. Open the link of the room instead.";
    case "NotReadableError":
    case "AbortError":
      return "Another app is using the camera. Close it, and try again.";
    default:
      return "The camera cannot be used on this page. Open the phone's camera app and scan the code there.";
  }
}
