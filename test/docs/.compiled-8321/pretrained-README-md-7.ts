import { photos, scenes, student, teacher } from '@zeroseg/pretrained';

student.weights; // a URL: file: in Node, an asset of the page with Vite and webpack 5