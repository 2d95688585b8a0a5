() => {
  // Tabs of our own: gradio's hide what does not fit a phone and know no arrow keys
  const tabs = [...document.querySelectorAll('#tabs [role=tab]')];
  const sheet = tab => document.getElementById('sheet-' + tab.dataset.tab);
  const open = name => {
    const chosen = tabs.find(tab => tab.dataset.tab === name) || tabs[0];
    for (const tab of tabs) {
      const is = tab === chosen;
      tab.setAttribute('aria-selected', is);
      tab.tabIndex = is ? 0 : -1;
      sheet(tab).toggleAttribute('data-shown', is);
    }
    history.replaceState(null, '', location.pathname + location.search + '#' + chosen.dataset.tab);
    return chosen;
  };
  for (const tab of tabs) {
    const panel = sheet(tab);
    panel.setAttribute('role', 'tabpanel');
    panel.setAttribute('aria-labelledby', tab.id);
    tab.setAttribute('aria-controls', panel.id);
    tab.addEventListener('click', () => open(tab.dataset.tab));
    tab.addEventListener('keydown', event => {
      const at = tabs.indexOf(tab), last = tabs.length - 1;
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: last }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      open(tabs[(to + tabs.length) % tabs.length].dataset.tab).focus();
    });
  }
  // gradio's button for files has a label that differs from what stands on it
  const unlabel = () => document.querySelectorAll('.upload-container[aria-label]').forEach(
    button => button.removeAttribute('aria-label'));
  unlabel();
  new MutationObserver(unlabel).observe(document.body, { childList: true, subtree: true });
  window.openTab = name => { if (tabs.length) { open(name); window.scrollTo(0, 0); } };
  if (tabs.length) open(location.hash.slice(1));
  // All pictures of an answer in one, masks as they are shown
  window.saveMontage = button => {
    const answer = button.closest('.answer'), frames = [...answer.querySelectorAll('.gallery .frame')];
    const first = frames[0].querySelector('img'), scale = Math.max(1, Math.round(256 / first.naturalWidth));
    const side = { width: first.naturalWidth * scale, height: first.naturalHeight * scale };
    const columns = Math.ceil(Math.sqrt(frames.length)), canvas = document.createElement('canvas');
    canvas.width = columns * side.width;
    canvas.height = Math.ceil(frames.length / columns) * side.height + 24;
    const pen = canvas.getContext('2d');
    pen.imageSmoothingEnabled = false;
    frames.forEach((frame, i) => {
      for (const image of frame.querySelectorAll('img')) {
        if (image.className === 'mask' && answer.classList.contains('plain')) continue;
        pen.drawImage(image, (i % columns) * side.width, Math.floor(i / columns) * side.height, side.width, side.height);
      }
    });
    pen.fillStyle = '#fff';
    pen.font = '14px sans-serif';
    pen.fillText(answer.querySelector('.provenance').textContent, 6, canvas.height - 7);
    const link = document.createElement('a');
    link.href = canvas.toDataURL('image/png');
    link.download = button.dataset.name;
    link.click();
  };
  // A picture of an answer, large: by click, Enter or space; the arrows go on, Esc closes
  const ZOOMED = '.answer .gallery .frame, .answer .stage .frame';
  const zoom = document.body.appendChild(document.createElement('dialog'));
  zoom.className = 'zoom';
  zoom.setAttribute('aria-label', 'Enlarged image');
  zoom.innerHTML = '<div class="large"></div><p role="status"></p><button type="button" class="close">Close</button>';
  let zoomed = null;
  const enlarge = frame => {
    zoomed = frame;
    zoom.querySelector('.large').innerHTML = frame.innerHTML;
    zoom.querySelector('p').textContent = frame.closest('figure').querySelector('figcaption').textContent;
    zoom.classList.toggle('plain', frame.closest('.answer').classList.contains('plain'));
    if (!zoom.open) zoom.showModal();
  };
  zoom.querySelector('.close').addEventListener('click', () => zoom.close());
  zoom.addEventListener('click', event => { if (event.target === zoom) zoom.close(); });
  zoom.addEventListener('close', () => zoomed?.focus());
  zoom.addEventListener('keydown', event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const all = step && [...zoomed.closest('.answer').querySelectorAll(ZOOMED)];
    if (!all) return;
    event.preventDefault();
    event.stopPropagation();
    enlarge(all[(all.indexOf(zoomed) + step + all.length) % all.length]);
  });
  const reachable = () => document.querySelectorAll(ZOOMED).forEach(frame => {
    if (frame.tabIndex === 0) return;
    frame.tabIndex = 0;
    frame.setAttribute('role', 'button');
    frame.setAttribute('aria-haspopup', 'dialog');
  });
  new MutationObserver(reachable).observe(document.body, { childList: true, subtree: true });
  reachable();
  document.addEventListener('click', event => {
    const frame = event.target.closest(ZOOMED);
    if (frame) enlarge(frame);
  });
  document.addEventListener('keydown', event => {
    if (!['Enter', ' '].includes(event.key) || !event.target.matches?.(ZOOMED)) return;
    event.preventDefault();
    enlarge(event.target);
  });
  // On a phone the answer lies below the button: it comes into view
  document.addEventListener('click', event => {
    const view = event.target.closest('button.primary')?.closest('.sheet')?.querySelector('.view');
    if (view && view.getBoundingClientRect().top > innerHeight - 160) view.scrollIntoView({ behavior: 'smooth' });
  });
}
