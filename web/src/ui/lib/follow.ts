/** Closer to the end than this, the page follows what is added; further up, somebody is reading. */
const FOLLOW_PX = 160;

/** Call before the page grows; what it returns goes to the end, if the end was in sight. */
export function follow(): () => void {
  const page = document.documentElement;
  const isFollowing = page.scrollHeight - scrollY - innerHeight < FOLLOW_PX;
  return () => {
    if (isFollowing) requestAnimationFrame(() => scrollTo(0, page.scrollHeight));
  };
}
