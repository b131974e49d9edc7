// Chapters: links in a list, marks on the bar, and which one is heard.

/** `find(seconds)` gives the chapter that is heard there, `next` and `previous` seek. */
export function chaptersOf(player) {
  const links = [...player.section.querySelectorAll("[data-chapter]")];
  const chapters = links.map((link) => ({
    start: Number(link.dataset.chapter),
    title: link.dataset.title,
    item: link.closest("li"),
    link,
  }));
  let heard;

  const find = (seconds) => chapters.findLast((chapter) => chapter.start <= seconds + 0.05);
  const after = (seconds) => chapters.find((chapter) => chapter.start > seconds + 0.05);

  for (const { link, start } of chapters) {
    link.addEventListener("click", (event) => {
      // Another tab, or a download, is not this player's business.
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      player.seek(start, { play: true });
    });
  }

  player.onMove((seconds) => {
    const chapter = find(seconds);
    if (chapter === heard) return;
    heard?.link.removeAttribute("aria-current");
    heard = chapter;
    chapter?.link.setAttribute("aria-current", "true");
    player.part("now-chapter").textContent = chapter?.title ?? "";
  });

  return {
    count: chapters.length,
    find,
    /** Where the chapter ends that is heard there. */
    endOf: (seconds) => after(seconds)?.start ?? player.duration,
    next: () => {
      const chapter = after(player.position);
      if (chapter) player.seek(chapter.start);
    },
    // As with songs: first to the beginning of this one.
    previous: () => player.seek(find(player.position - 3)?.start ?? 0),
    /** Draw marks once it is known how long everything is. */
    mark: () => {
      const lines = chapters
        .filter(({ start }) => start > 0 && start < player.duration)
        .map(({ start }) => {
          const line = document.createElement("i");
          line.style.left = `${(start / player.duration) * 100}%`;
          return line;
        });
      player.part("marks").replaceChildren(...lines);
    },
  };
}
