import type { ComponentChildren } from 'preact';

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
      {children}
    </svg>
  );
}

export const UploadIcon = () => (
  <Icon>
    <path d="M10 13V4m0 0L6.5 7.5M10 4l3.5 3.5M4 13v2.5h12V13" />
  </Icon>
);

export const CameraIcon = () => (
  <Icon>
    <path d="M3 6.5h3L7.5 4.5h5L14 6.5h3v9H3z" />
    <circle cx="10" cy="10.8" r="2.6" />
  </Icon>
);

export const DiceIcon = () => (
  <Icon>
    <rect x="3.5" y="3.5" width="13" height="13" rx="3" />
    <circle class="dot" cx="7" cy="7" r="1" />
    <circle class="dot" cx="10" cy="10" r="1" />
    <circle class="dot" cx="13" cy="13" r="1" />
  </Icon>
);

export const CloseIcon = () => (
  <Icon>
    <path d="m5.5 5.5 9 9m0-9-9 9" />
  </Icon>
);

export const EyeIcon = () => (
  <Icon>
    <path d="M2.5 10S5 5 10 5s7.5 5 7.5 5-2.5 5-7.5 5-7.5-5-7.5-5z" />
    <circle cx="10" cy="10" r="2.2" />
  </Icon>
);

export const DownloadIcon = () => (
  <Icon>
    <path d="M10 4v9m0 0-3.5-3.500M10 13l3.5-3.500M4 13v2.500h12V13" />
  </Icon>
);

export const CompareIcon = () => (
  <Icon>
    <rect x="3.5" y="4.5" width="13" height="11" rx="2" />
    <path d="M10 2.500v15" />
  </Icon>
);

export const PlayIcon = () => (
  <Icon>
    <path class="solid" d="M6.500 4.200v11.600l9.500-5.800z" />
  </Icon>
);

export const PauseIcon = () => (
  <Icon>
    <path class="solid" d="M6 4.500h2.800v11H6zM11.200 4.500H14v11h-2.800z" />
  </Icon>
);

export const LinkIcon = () => (
  <Icon>
    <path d="M8.500 11.500a3 3 0 0 0 4.200 0l2.600-2.600a3 3 0 0 0-4.200-4.200l-.9.9M11.500 8.500a3 3 0 0 0-4.200 0l-2.600 2.600a3 3 0 0 0 4.200 4.200l.9-.9" />
  </Icon>
);

export const ThemeIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="6.5" />
    <path class="dot" d="M10 3.500a6.5 6.5 0 0 1 0 13z" />
  </Icon>
);

export const ChipIcon = () => (
  <Icon>
    <rect x="5.5" y="5.5" width="9" height="9" rx="1.5" />
    <path d="M8 3v2.500M12 3v2.500M8 14.500V17M12 14.500V17M3 8h2.500M3 12h2.500M14.5 8H17M14.5 12H17" />
  </Icon>
);

/** Four segments: the mark of the page. */
export const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
    <clipPath id="mark">
      <rect width="32" height="32" rx="8" />
    </clipPath>
    <g clip-path="url(#mark)">
      <path fill="#2f6fed" d="M0 0h32v32H0z" />
      <path fill="#f2b134" d="M0 0h19c1 6-3 9-8 9S3 13 0 18z" />
      <path fill="#12a178" d="M0 32V22c5-4 9-1 13-4s8-5 12-2 5 2 7 1v15z" />
      <circle cx="21" cy="12" r="6" fill="#fff" />
    </g>
  </svg>
);
